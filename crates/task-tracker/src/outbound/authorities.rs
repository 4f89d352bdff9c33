//! Whose certificates are believed.

use std::{fmt, str::FromStr, sync::Arc};

use tokio_rustls::rustls::{
    RootCertStore,
    pki_types::{CertificateDer, pem::PemObject},
};

/// Mozilla's, by `webpki-roots`, since an image without any files has none of its own; and those of a file. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Authorities(pub(super) Arc<RootCertStore>);

impl Default for Authorities {
    fn default() -> Self {
        Self(Arc::new(usual()))
    }
}

/// Reads a file of this name; its certificates, in PEM, are believed too.
impl FromStr for Authorities {
    type Err = String;

    fn from_str(file: &str) -> Result<Self, Self::Err> {
        const NEXT: &str = "give a file with one or more certificates in PEM";
        let mut roots = usual();
        let before = roots.len();
        let certificates = CertificateDer::pem_file_iter(file).map_err(|cause| format!("{cause}; {NEXT}"))?;
        for certificate in certificates {
            let certificate = certificate.map_err(|cause| format!("{cause}; {NEXT}"))?;
            roots
                .add(certificate)
                .map_err(|cause| format!("one of its certificates is none: {cause}; {NEXT}"))?;
        }
        if roots.len() == before {
            return Err(format!("there is no certificate in it; {NEXT}"));
        }
        Ok(Self(Arc::new(roots)))
    }
}

fn usual() -> RootCertStore {
    webpki_roots::TLS_SERVER_ROOTS.iter().cloned().collect()
}

impl fmt::Debug for Authorities {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Authorities({})", self.0.len())
    }
}
