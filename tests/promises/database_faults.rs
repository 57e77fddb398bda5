//! Servers that are no place for a ledger.

#![cfg(unix)]

use crate::cluster::{Cluster, PASSWORD, RUNNER, as_nobody};
use crate::database::{Shared, there};
use crate::governed::Keys;
use crate::support::{Folder, has};

/// What a runner is told of a server on which it sets this for its database.
fn told(setting: &str) -> Option<String> {
    let shared = Shared::ready("", Keys::Honoured)?;
    shared.cluster.sql("postgres", &format!("ALTER DATABASE {} SET {setting}", shared.database));
    let before = shared.governed.held();
    let ran = shared.apply(&[]).exits(40);
    assert_eq!(shared.governed.held(), before);
    Some(ran.told())
}

#[test]
fn a_database_that_takes_no_writes_is_refused_before_anything_is_sent() {
    let Some(told) = told("default_transaction_read_only = on") else { return };
    assert!(told.contains("its transactions are read-only"), "{told}");
}

#[test]
fn what_is_recorded_waits_for_the_disk_whatever_the_database_sets() {
    let Some(shared) = Shared::ready("", Keys::Honoured) else { return };
    shared
        .cluster
        .sql("postgres", &format!("ALTER DATABASE {} SET synchronous_commit = off", shared.database));
    shared.cluster.sql(
        &shared.database,
        "CREATE TABLE public.waits (how text);
         GRANT INSERT ON public.waits TO PUBLIC;
         CREATE FUNCTION public.note() RETURNS trigger LANGUAGE plpgsql AS
           $$ BEGIN INSERT INTO public.waits VALUES (current_setting('synchronous_commit')); RETURN NULL; END $$;
         CREATE TRIGGER noted AFTER INSERT ON loopgate.events EXECUTE FUNCTION public.note()",
    );
    shared.apply(&[]).exits(0);
    assert_eq!(shared.cluster.sql(&shared.database, "SELECT DISTINCT how FROM public.waits"), "on");
}

#[test]
fn a_server_that_does_not_sync_is_refused() {
    if there().is_none() {
        return;
    }
    let cluster = Cluster::start("fsync = off").unwrap();
    let folder = Folder::new();
    let database = cluster.database();
    let ran = crate::database::init(&folder, &cluster, &database).exits(40);
    assert!(ran.told().contains("fsync is off"), "{}", ran.told());
}

/// PgBouncer before a cluster, in that mode; ended when it is dropped.
struct Pooler {
    process: std::process::Child,
    port: u16,
    _folder: tempfile::TempDir,
}

impl Pooler {
    fn start(cluster: &Cluster, mode: &str) -> Option<Self> {
        let places = ["/usr/sbin/pgbouncer", "/usr/bin/pgbouncer"];
        let program = places.into_iter().find(|place| std::path::Path::new(place).exists());
        if !has("pgbouncer", program.is_some()) {
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let file = folder.path().join("pgbouncer.ini");
        let text = format!(
            "[databases]\n* = host=127.0.0.1 port={} user={RUNNER} password='{PASSWORD}'\n[pgbouncer]\n\
             listen_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\nauth_type = any\npool_mode = {mode}\n",
            cluster.port
        );
        loopgate::core::file::replace(&file, text.as_bytes()).unwrap();
        for path in [folder.path(), &file] {
            let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
            fs_err::set_permissions(path, open).unwrap();
        }
        let null = std::process::Stdio::null;
        let process =
            as_nobody(program?).arg(&file).stdin(null()).stdout(null()).stderr(null()).spawn().unwrap();
        let begun = std::time::Instant::now();
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(begun.elapsed() < std::time::Duration::from_secs(30), "the pooler does not answer");
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        Some(Self { process, port, _folder: folder })
    }
}

impl Drop for Pooler {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn through_a_transaction_pooler_nothing_is_applied_and_through_a_session_pooler_all_is() {
    let Some(shared) = Shared::ready("", Keys::Honoured) else { return };
    let before = shared.governed.held();
    for (mode, code) in [("transaction", 40), ("session", 0)] {
        let Some(pooler) = Pooler::start(shared.cluster, mode) else { return };
        let url = format!("postgres://ci@127.0.0.1:{}/{}", pooler.port, shared.database);
        let ran = shared.apply(&["--ledger", &url]).exits(code);
        if code == 40 {
            assert!(ran.told().contains("transaction pooler"), "{}", ran.told());
            assert_eq!(shared.governed.held(), before);
            let held = "SELECT count(*) FROM pg_locks JOIN pg_database d ON d.oid = database
                WHERE locktype = 'advisory' AND datname = current_database()";
            assert_eq!(
                shared.cluster.sql(&shared.database, held),
                "0",
                "a pooler's session holds what nobody gives up"
            );
        }
    }
}
