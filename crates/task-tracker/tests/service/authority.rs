//! A certificate authority of a test: a root that only its file makes known, one in between, and whom that vouches for.

use std::{fs, path::PathBuf};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, KeyUsagePurpose};
use tempfile::TempDir;
use time::{Duration, OffsetDateTime};
use tokio_rustls::rustls::{ServerConfig, pki_types::PrivateKeyDer};

pub(crate) struct Authority {
    root: PathBuf,
    between: CertifiedIssuer<'static, KeyPair>,
    _folder: TempDir,
}

/// What is wrong with a certificate.
#[derive(Clone, Copy)]
pub(crate) enum Flaw {
    None,
    Expired,
    /// It is for somebody else.
    Elsewhere,
    /// The one in between is left out.
    Alone,
}

fn issuer(name: &str) -> (CertificateParams, KeyPair) {
    let mut params = CertificateParams::new([]).unwrap();
    params.distinguished_name.push(rcgen::DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    (params, KeyPair::generate().unwrap())
}

impl Authority {
    pub(crate) fn new() -> Self {
        let (params, key) = issuer("root of a test");
        let root = CertifiedIssuer::self_signed(params, key).unwrap();
        let (params, key) = issuer("in between");
        let between = CertifiedIssuer::signed_by(params, key, &root).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("root.pem");
        fs::write(&file, root.pem()).unwrap();
        Self {
            root: file,
            between,
            _folder: folder,
        }
    }

    /// For `instance::start`.
    pub(crate) fn flags(&self) -> String {
        format!("--webhook-authorities {}", self.root.display())
    }

    /// Of a server at 127.0.0.1.
    pub(crate) fn vouches(&self, flaw: Flaw) -> ServerConfig {
        let name = match flaw {
            Flaw::Elsewhere => "receiver.example.com",
            Flaw::None | Flaw::Expired | Flaw::Alone => "127.0.0.1",
        };
        let mut params = CertificateParams::new([name.to_owned()]).unwrap();
        let now = OffsetDateTime::now_utc();
        params.not_before = now - Duration::days(30);
        params.not_after = match flaw {
            Flaw::Expired => now - Duration::days(1),
            Flaw::None | Flaw::Elsewhere | Flaw::Alone => now + Duration::days(30),
        };
        let key = KeyPair::generate().unwrap();
        let mut chain = vec![params.signed_by(&key, &self.between).unwrap().der().clone()];
        if !matches!(flaw, Flaw::Alone) {
            chain.push(self.between.der().clone());
        }
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        ServerConfig::builder()
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .unwrap()
    }
}
