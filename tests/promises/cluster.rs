//! A PostgreSQL server of the tests' own: made in a folder that goes with it, ended with the test process, however that
//! ends. Nobody is root in it.

#![cfg(unix)]

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{LazyLock, Mutex};
use std::time::{Duration, Instant};

/// The role of a runner, and its password.
pub const RUNNER: &str = "ci";
pub const PASSWORD: &str = "a password for ci";

/// The user whom a server that root starts runs as.
pub const NOBODY: u32 = 65_534;

/// Makes the server's files and starts it; then does as it is told on standard input, and says when it has. Ends the
/// server when there is nothing more to be told.
const KEEPER: &str = r#"
start() { "$1/postgres" -D "$2/data" >/dev/null 2>&1 & server=$!; }
eval "$3" >/dev/null && printf '%s' "$4" >>"$2/data/postgresql.conf" || exit
start "$@"
echo done
while read -r word; do
  case "$word" in
    start) start "$@" ;;
    fill) cat /dev/zero >"$2/data/filler" 2>/dev/null ;;
    free) rm -f "$2/data/filler" ;;
    *) kill "-$word" "$server"; wait "$server" ;;
  esac
  echo done
done
# A signal that comes before the server expects any is lost.
while kill -QUIT "$server" 2>/dev/null; do sleep 0.1; done
wait "$server"
rm -rf "$2" 2>/dev/null
"#;

/// Gives a folder's data a disk of its own for as long as a program runs in it, which is not root.
const SMALL: &str = r#"
mkdir "$2/data" && mount -t tmpfs -o "size=$1,mode=0700" none "$2/data" || exit
folder=$2
shift 2
unshare --user --map-user=1000 --map-group=1000 "$@"
umount "$folder/data"
rm -rf "$folder"
"#;

/// What makes an empty server.
const MAKE: &str = r#""$1/initdb" --no-sync --username=postgres --encoding=UTF8 --no-locale \
  --auth-local=trust --auth-host=scram-sha-256 -D "$2/data""#;

pub struct Cluster {
    pub programs: PathBuf,
    pub folder: PathBuf,
    pub port: u16,
    /// What the keeper is told and says; none once it is over.
    words: Mutex<Option<(ChildStdin, BufReader<ChildStdout>)>>,
    keeper: Mutex<Child>,
    databases: AtomicU32,
}

/// The one that tests share, where there is PostgreSQL.
pub fn shared() -> Option<&'static Cluster> {
    static SHARED: LazyLock<Option<Cluster>> = LazyLock::new(|| Cluster::start(""));
    SHARED.as_ref()
}

/// The server's programs, which distributions keep out of the way.
fn programs() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut versions: Vec<PathBuf> = versions.map(|version| version.path().join("bin")).collect();
    versions.sort();
    folders.extend(versions);
    let has_all =
        |folder: &PathBuf| ["initdb", "postgres", "psql"].iter().all(|name| folder.join(name).exists());
    folders.into_iter().rfind(has_all)
}

pub fn as_nobody(program: impl AsRef<std::ffi::OsStr>) -> Command {
    if std::fs::metadata("/proc/self").unwrap().uid() != 0 {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    let nobody = NOBODY.to_string();
    command.args(["--reuid", &nobody, "--regid", &nobody, "--clear-groups"]).arg(program);
    command
}

impl Cluster {
    /// Starts one with these lines in its configuration besides the tests' own.
    pub fn start(configuration: &str) -> Option<Self> {
        let cluster = Self::made(MAKE, configuration, None)?;
        cluster.has_a_runner();
        Some(cluster)
    }

    /// Starts one on a disk of that size, which can be filled; none where that takes more than may be done here.
    pub fn small(size: &str) -> Option<Self> {
        let may = as_nobody("unshare").args(["-Urm", "mount", "-t", "tmpfs", "none", "/mnt"]).output();
        if !may.is_ok_and(|output| output.status.success()) {
            return None;
        }
        let cluster = Self::made(MAKE, "", Some(size))?;
        cluster.has_a_runner();
        Some(cluster)
    }

    /// Starts a standby, which follows this one asynchronously and can be read.
    pub fn standby(&self) -> Self {
        let make = format!(
            r#""$1/pg_basebackup" -h '{}' -p {} -U postgres -R --checkpoint=fast --no-sync -D "$2/data""#,
            self.folder.display(),
            self.port
        );
        Self::made(&make, "", None).unwrap()
    }

    fn made(make: &str, configuration: &str, size: Option<&str>) -> Option<Self> {
        let programs = programs()?;
        let folder = tempfile::Builder::new().prefix("pg-").tempdir().unwrap().keep();
        if std::fs::metadata("/proc/self").unwrap().uid() == 0 {
            std::os::unix::fs::chown(&folder, Some(NOBODY), Some(NOBODY)).unwrap();
        }
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let configuration = format!(
            "listen_addresses = '127.0.0.1'\nport = {port}\nunix_socket_directories = '{}'\nmax_connections = 200\n\
             shared_buffers = 64MB\n{configuration}\n",
            folder.display()
        );
        let mut keeper = match size {
            None => as_nobody("sh"),
            Some(size) => {
                let mut keeper = as_nobody("unshare");
                keeper.args(["-Urm", "sh", "-c", SMALL, "small", size]).arg(&folder).arg("sh");
                keeper
            }
        };
        let mut keeper = keeper
            .args(["-c", KEEPER, "keeper"])
            .args([&programs, &folder])
            .args([make, &configuration])
            .current_dir(&folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let words = keeper.stdin.take().zip(keeper.stdout.take().map(BufReader::new));
        let (words, keeper) = (Mutex::new(words), Mutex::new(keeper));
        let cluster = Self { programs, folder, port, words, keeper, databases: AtomicU32::new(0) };
        cluster.is_done();
        cluster.wait();
        Some(cluster)
    }

    fn has_a_runner(&self) {
        self.sql(
            "postgres",
            &format!(
                "CREATE ROLE loopgate_runner NOLOGIN;
                 CREATE ROLE {RUNNER} LOGIN PASSWORD '{PASSWORD}' IN ROLE loopgate_runner"
            ),
        );
    }

    /// Has the keeper do something, and waits until it has: `start` the server, `fill` or `free` its disk; anything else
    /// is a signal for the server, such as `QUIT`, which ends it.
    pub fn tell(&self, word: &str) {
        writeln!(self.words.lock().unwrap().as_mut().unwrap().0, "{word}").unwrap();
        self.is_done();
    }

    fn is_done(&self) {
        let (mut words, mut line) = (self.words.lock().unwrap(), String::new());
        words.as_mut().unwrap().1.read_line(&mut line).unwrap();
        assert_eq!(line, "done\n", "the server cannot be made");
    }

    /// Waits until it answers.
    pub fn wait(&self) {
        let begun = Instant::now();
        while !self.psql("postgres", "SELECT 1").status.success() {
            assert!(begun.elapsed() < Duration::from_secs(60), "the server does not answer");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn new_name(&self) -> String {
        format!("ledger_{}", self.databases.fetch_add(1, Ordering::SeqCst))
    }

    /// A new database, by its name.
    pub fn database(&self) -> String {
        let name = self.new_name();
        self.sql("postgres", &format!("CREATE DATABASE {name} TEMPLATE template0"));
        name
    }

    /// A copy of a database, by its name.
    pub fn copy(&self, database: &str) -> String {
        let name = self.new_name();
        self.sql("postgres", &format!("CREATE DATABASE {name} TEMPLATE {database}"));
        name
    }

    /// Where a database is for who owns it, over its socket.
    pub fn owner(&self, database: &str) -> String {
        let folder = self.folder.display().to_string().replace('/', "%2F");
        format!("postgres://postgres@{folder}:{}/{database}?connect_timeout=5", self.port)
    }

    /// Where a database is for a runner, over TCP.
    pub fn runner(&self, database: &str) -> String {
        format!("postgres://{RUNNER}@127.0.0.1:{}/{database}", self.port)
    }

    /// What SQL gives, run by the owner: columns apart by `|`.
    #[track_caller]
    pub fn sql(&self, database: &str, sql: &str) -> String {
        let output = self.psql(database, sql);
        assert!(output.status.success(), "{sql}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
    }

    /// The same, which need not succeed.
    pub fn psql(&self, database: &str, sql: &str) -> std::process::Output {
        let mut command = Command::new(self.programs.join("psql"));
        command.args(["-qAtX", "-v", "ON_ERROR_STOP=1", "-U", "postgres", "-d", database, "-h"]);
        command.arg(&self.folder).args(["-p", &self.port.to_string(), "-c", sql]);
        command.stdin(Stdio::null()).output().unwrap()
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // The shared one is never dropped: its keeper learns from the pipe that the process is over.
        *self.words.get_mut().unwrap() = None;
        let _ = self.keeper.get_mut().unwrap().wait();
    }
}
