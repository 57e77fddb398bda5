//! TLS to a PostgreSQL server, which shows a certificate for its name that the system or the settings vouch for.

use std::sync::Arc;

use rustls::ClientConfig;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls_platform_verifier::Verifier;
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::ledger::error::LedgerError;

/// What encrypts connections; `authorities`, in PEM, count besides the system's.
pub(super) fn tls(authorities: Option<&[u8]>) -> Result<MakeRustlsConnect, LedgerError> {
    let unreachable = |why: String| LedgerError::unreachable(why);
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| unreachable(error.to_string()))?;
    let verifier = match authorities {
        None => Verifier::new(provider),
        Some(pem) => {
            let certificates: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(pem)
                .collect::<Result<_, _>>()
                .map_err(|error| unreachable(format!("the certificate authorities: {error}")))?;
            if certificates.is_empty() {
                return Err(unreachable("the file of certificate authorities has none".to_owned()));
            }
            Verifier::new_with_extra_roots(certificates, provider)
        }
    };
    let verifier = verifier.map_err(|error| unreachable(format!("the certificate authorities: {error}")))?;
    let config =
        builder.dangerous().with_custom_certificate_verifier(Arc::new(verifier)).with_no_client_auth();
    Ok(MakeRustlsConnect::new(config))
}
