//! A ledger on another machine: its certificate is for its name, and vouched for.

#![cfg(unix)]

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};

use crate::cluster::{Cluster, NOBODY};
use crate::database::there;
use crate::support::{Folder, Ran};

/// A server with a certificate for `name`, and in `folder` the file of who vouches for it.
fn server(folder: &Path, name: &str) -> Cluster {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let leaf = CertificateParams::new([name.to_owned()]).unwrap().signed_by(&key, &issuer).unwrap();
    fs_err::set_permissions(folder, std::fs::Permissions::from_mode(0o755)).unwrap();
    for (file, content) in
        [("ca.pem", issuer.pem()), ("leaf.pem", leaf.pem()), ("key.pem", key.serialize_pem())]
    {
        let path = folder.join(file);
        loopgate::core::file::replace(&path, content.as_bytes()).unwrap();
        let mode = if file == "key.pem" { 0o600 } else { 0o644 };
        fs_err::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        if std::fs::metadata("/proc/self").unwrap().uid() == 0 {
            std::os::unix::fs::chown(&path, Some(NOBODY), Some(NOBODY)).unwrap();
        }
    }
    let at = folder.display();
    let tls = format!("ssl = on\nssl_cert_file = '{at}/leaf.pem'\nssl_key_file = '{at}/key.pem'\n");
    Cluster::start(&tls).unwrap()
}

#[test]
fn a_ledger_is_reached_over_tls_where_its_certificate_is_for_its_name_and_vouched_for() {
    if there().is_none() {
        return;
    }
    let certificates = Folder::new();
    let cluster = server(certificates.path(), "127.0.0.1");
    let database = cluster.database();
    cluster.sql("postgres", "CREATE ROLE maker LOGIN PASSWORD 'secret' SUPERUSER");
    let folder = Folder::new();
    let ledger = |word: &str, host: &str, more: &str| {
        let url = format!("postgres://maker@{host}:{}/{database}?sslmode=verify-full{more}", cluster.port);
        let mut command = folder.command(&["ledger", word, "--ledger", &url]);
        Ran::from(command.env("PGPASSWORD", "secret").output().unwrap())
    };
    let vouched = format!("&sslrootcert={}/ca.pem", certificates.path().display());
    ledger("init", "127.0.0.1", &vouched).exits(0);
    ledger("status", "127.0.0.1", &vouched).exits(0);
    let unknown = ledger("status", "127.0.0.1", "").exits(40);
    assert!(unknown.stderr.contains("UnknownIssuer"), "{}", unknown.stderr);
    let other = ledger("status", "localhost", &vouched).exits(40);
    assert!(other.stderr.contains("not valid for name"), "{}", other.stderr);
}
