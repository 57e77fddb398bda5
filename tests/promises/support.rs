//! The shipped binary in a folder of its own, with an environment of its own.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Output;
use std::sync::Mutex;

use assert_cmd::Command;
use serde_json::Value;

/// A folder to work in; gone with the test.
pub struct Folder {
    folder: tempfile::TempDir,
    /// What the environment of commands has besides.
    variables: Mutex<Vec<(String, String)>>,
}

/// What a command left.
#[derive(Debug, Clone)]
pub struct Ran {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Folder {
    pub fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), variables: Mutex::default() }
    }

    /// Gives every command from now on a variable.
    pub fn set(&self, name: &str, value: &str) {
        self.variables.lock().unwrap().push((name.to_owned(), value.to_owned()));
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Puts a file into the folder, with the folders above it.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path().join(name);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        loopgate::core::file::replace(&path, content.as_ref()).unwrap();
        path
    }

    pub fn read(&self, name: &str) -> String {
        fs_err::read_to_string(self.path().join(name)).unwrap()
    }

    pub fn exists(&self, name: &str) -> bool {
        self.path().join(name).exists()
    }

    pub fn json(&self, name: &str) -> Value {
        serde_json::from_str(&self.read(name)).unwrap()
    }

    /// Any program, here, with nothing of the caller's environment but what starts programs: a pipeline's would
    /// change what is promised.
    pub fn process(&self, program: &str) -> std::process::Command {
        let mut command = std::process::Command::new(program);
        command.current_dir(self.path()).env_clear().stdin(std::process::Stdio::null());
        for name in ["PATH", "HOME", "TMPDIR"] {
            if let Some(value) = environment(name) {
                command.env(name, value);
            }
        }
        command.envs(self.variables.lock().unwrap().iter().cloned());
        command
    }

    /// The shipped binary, here, with nothing of the caller's environment but what starts programs.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_loopgate"));
        command
            .current_dir(self.path())
            .env_clear()
            .args(arguments)
            .timeout(std::time::Duration::from_secs(120));
        for name in ["PATH", "HOME", "TMPDIR"] {
            if let Some(value) = environment(name) {
                command.env(name, value);
            }
        }
        command.envs(self.variables.lock().unwrap().iter().cloned());
        command
    }

    pub fn run(&self, arguments: &[&str]) -> Ran {
        self.command(arguments).output().unwrap().into()
    }

    /// Every row of every table of a database.
    pub fn dump(&self, database: &str) -> String {
        let database = rusqlite::Connection::open(self.path().join(database)).unwrap();
        let mut tables = database
            .prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name")
            .unwrap();
        let names: Vec<String> =
            tables.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
        let mut all = String::new();
        for name in names {
            let mut rows = database.prepare(&format!("SELECT * FROM \"{name}\"")).unwrap();
            let columns = rows.column_count();
            let lines: Vec<String> = rows
                .query_map([], |row| {
                    Ok((0..columns)
                        .map(|index| format!("{:?}", row.get::<_, rusqlite::types::Value>(index).unwrap()))
                        .collect::<Vec<_>>()
                        .join("|"))
                })
                .unwrap()
                .map(Result::unwrap)
                .collect();
            all.push_str(&format!("{name}\n{}\n", lines.join("\n")));
        }
        all
    }

    /// Runs a shipped recipe or `run FILE` against the sandbox, for tenant acme.
    pub fn sandbox(&self, recipe: &str, release: &str, more: &[&str]) -> Ran {
        let mut arguments = vec![recipe, "--server", "sandbox", "--tenant", "acme", "--release", release];
        arguments.extend(more);
        self.run(&arguments)
    }
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

impl Ran {
    /// Checks the exit code, and shows all there is where it is another.
    #[track_caller]
    pub fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, code, "\n--- stdout\n{}\n--- stderr\n{}", self.stdout, self.stderr);
        self
    }

    /// All that it says, with every line break and indentation one blank.
    pub fn told(&self) -> String {
        let said = format!("{} {}", self.stdout, self.stderr);
        said.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    /// Standard output as the one JSON value that it must be.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {}", self.stdout))
    }
}

#[expect(clippy::disallowed_methods, reason = "a test finds the programs that it starts")]
pub fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// The misbehaving peer.
pub fn peer() -> PathBuf {
    example("peer")
}

/// A program for the tests, which plain `cargo test` builds as an example.
pub fn example(name: &str) -> PathBuf {
    let deps = std::env::current_exe().unwrap();
    let built = deps.parent().unwrap().parent().unwrap();
    let program = built.join("examples").join(format!("{name}{}", std::env::consts::EXE_SUFFIX));
    assert!(program.exists(), "`{}` is not built; plain `cargo test` builds it", program.display());
    program
}

/// A settings file that starts `program` as the server `peer`.
pub fn settings(program: &Path, arguments: &[&str], profile: &str) -> String {
    serde_json::json!({
        "servers": { "peer": {
            "command": program, "arguments": arguments, "profile": profile, "dry_runs": true,
            "time_limits": { "connect": "5s", "list": "5s", "call": "5s", "close": "2s" },
        } }
    })
    .to_string()
}

/// Whether a test that needs more than a Rust toolchain runs: where it is required (`LOOPGATE_TEST_ALL`) its
/// lack is a failure, elsewhere it says that it was skipped.
pub fn has(what: &str, there: bool) -> bool {
    if !there {
        assert!(environment("LOOPGATE_TEST_ALL").is_none(), "{what} is required here and is not there");
        // Written past the capture of the test runner, which shows nothing of a test that passes.
        let _ = writeln!(std::io::stderr(), "skipped: {what} is not there");
    }
    there
}
