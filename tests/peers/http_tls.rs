//! Certificates that verify, and some that do not.

#![expect(clippy::unwrap_used, reason = "a peer that panics fails the test that started it")]
#![expect(clippy::disallowed_methods, reason = "its notes are no product")]

use std::path::Path;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, date_time_ymd};
use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

/// A server with a certificate of that kind (`good`, `expired`, `wrong-host`, `unknown`); leaves the certificate of
/// its authority in `folder`, or that of another one.
pub fn server(kind: &str, folder: &Path) -> Arc<ServerConfig> {
    let authority = authority();
    let named = if kind == "unknown" { self::authority().pem() } else { authority.pem() };
    std::fs::write(folder.join("ca.pem"), named).unwrap_or_default();
    let host = if kind == "wrong-host" { "other.example" } else { "127.0.0.1" };
    let key = KeyPair::generate().unwrap();
    let mut parameters = CertificateParams::new(vec![host.to_owned()]).unwrap();
    if kind == "expired" {
        parameters.not_before = date_time_ymd(2019, 1, 1);
        parameters.not_after = date_time_ymd(2020, 1, 1);
    }
    let certificate = parameters.signed_by(&key, &authority).unwrap();
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .unwrap();
    Arc::new(config)
}

fn authority() -> CertifiedIssuer<'static, KeyPair> {
    let mut parameters = CertificateParams::new(Vec::new()).unwrap();
    parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(parameters, KeyPair::generate().unwrap()).unwrap()
}
