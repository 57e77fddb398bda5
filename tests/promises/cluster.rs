//! A PostgreSQL server of the tests' own: made in a folder that goes with it, ended with the test process, however that
//! ends. Nobody is root in it.

#![cfg(unix)]

use std::io::Write as _;
use std::net::TcpListener;
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{LazyLock, Mutex};
use std::time::{Duration, Instant};

/// The role of a runner, and its password.
pub const RUNNER: &str = "ci";
pub const PASSWORD: &str = "a password for ci";

/// The user whom a server that root starts runs as.
pub const NOBODY: u32 = 65_534;

/// Does as it is told on standard input, and ends the server when that ends.
const KEEPER: &str = r#"
start() { "$1/postgres" -D "$2/data" & server=$!; }
start "$1" "$2"
while read -r word; do
  case "$word" in
    start) start "$1" "$2" ;;
    *) kill "-$word" "$server"; wait "$server" ;;
  esac
done
# A signal that comes before the server expects any is lost.
while kill -QUIT "$server" 2>/dev/null; do sleep 0.1; done
wait "$server"
rm -rf "$2"
"#;

pub struct Cluster {
    pub programs: PathBuf,
    pub folder: PathBuf,
    pub port: u16,
    /// What the keeper is told; none once it is over.
    pub words: Mutex<Option<ChildStdin>>,
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
        let programs = programs()?;
        let folder = tempfile::Builder::new().prefix("pg-").tempdir().unwrap().keep();
        if std::fs::metadata("/proc/self").unwrap().uid() == 0 {
            std::os::unix::fs::chown(&folder, Some(NOBODY), Some(NOBODY)).unwrap();
        }
        let made = as_nobody(programs.join("initdb"))
            .args(["--no-sync", "--username=postgres", "--encoding=UTF8", "--no-locale"])
            .args(["--auth-local=trust", "--auth-host=scram-sha-256", "-D"])
            .arg(folder.join("data"))
            .current_dir(&folder)
            .stdin(Stdio::null())
            .output()
            .unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut file =
            std::fs::OpenOptions::new().append(true).open(folder.join("data/postgresql.conf")).unwrap();
        writeln!(
            file,
            "listen_addresses = '127.0.0.1'\nport = {port}\nunix_socket_directories = '{}'\nmax_connections = 200\n\
             shared_buffers = 64MB\n{configuration}",
            folder.display()
        )
        .unwrap();
        let mut keeper = as_nobody("sh")
            .args(["-c", KEEPER, "keeper"])
            .args([&programs, &folder])
            .current_dir(&folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let words = Mutex::new(keeper.stdin.take());
        let databases = AtomicU32::new(0);
        let cluster = Self { programs, folder, port, words, keeper: Mutex::new(keeper), databases };
        cluster.wait();
        cluster.sql(
            "postgres",
            &format!(
                "CREATE ROLE loopgate_runner NOLOGIN;
                 CREATE ROLE {RUNNER} LOGIN PASSWORD '{PASSWORD}' IN ROLE loopgate_runner"
            ),
        );
        Some(cluster)
    }

    /// Waits until it answers.
    pub fn wait(&self) {
        let begun = Instant::now();
        while !self.psql("postgres", "SELECT 1").status.success() {
            assert!(begun.elapsed() < Duration::from_secs(60), "the server does not answer");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    pub fn new_name(&self) -> String {
        format!("ledger_{}", self.databases.fetch_add(1, Ordering::SeqCst))
    }

    /// A new database, by its name.
    pub fn database(&self) -> String {
        let name = self.new_name();
        self.sql("postgres", &format!("CREATE DATABASE {name} TEMPLATE template0"));
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
