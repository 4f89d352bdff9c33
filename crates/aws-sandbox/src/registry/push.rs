//! Pushing a packed image to a registry: the sandbox's own or any other, by the OCI distribution protocol.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use http::HeaderValue;
use oci_client::client::{ClientConfig, ClientProtocol};
use oci_client::errors::OciDistributionError;
use oci_client::secrets::RegistryAuth;
use oci_client::{Client, Reference, RegistryOperation};

use super::digest::Digest;
use super::manifest::IMAGE_MANIFEST;
use super::pack::PackedImage;

/// Where an image goes: `host:port/repository:tag`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Destination(Reference);

/// An image that did not arrive.
#[derive(Debug, thiserror::Error)]
pub enum PushError {
    /// The text names no registry, repository and tag.
    #[error("`{text}` is not an image name of the form host:port/repository:tag")]
    Name {
        /// What was given.
        text: String,
        /// What the grammar objects to.
        #[source]
        cause: Option<oci_client::ParseError>,
    },
    /// The registry refused the credentials or could not be reached.
    #[error("could not log in to the registry {registry}")]
    Login {
        /// Host and port.
        registry: String,
        /// What the client said.
        #[source]
        cause: OciDistributionError,
    },
    /// A part of the image was not taken.
    #[error("could not push {part} of {destination}")]
    Push {
        /// Which part.
        part: &'static str,
        /// Where to.
        destination: Destination,
        /// What the client said.
        #[source]
        cause: OciDistributionError,
    },
}

/// User name and password for a registry that asks for them.
#[derive(Clone)]
pub struct Credentials {
    /// E.g. `gitlab-ci-token`.
    pub user: String,
    /// Never shown.
    pub password: String,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("user", &self.user)
            .finish_non_exhaustive()
    }
}

/// Pushes what the registry does not have yet, then the manifest under the destination's tag.
pub async fn push(
    image: &PackedImage,
    destination: &Destination,
    credentials: Option<&Credentials>,
) -> Result<Digest, PushError> {
    let reference = &destination.0;
    let registry = reference.resolve_registry();
    let auth = credentials.map_or(RegistryAuth::Anonymous, |login| {
        RegistryAuth::Basic(login.user.clone(), login.password.clone())
    });
    let client = client(registry);
    client
        .auth(reference, &auth, RegistryOperation::Push)
        .await
        .map_err(|cause| PushError::Login {
            registry: registry.to_owned(),
            cause,
        })?;
    let failed = |part| {
        move |cause| PushError::Push {
            part,
            destination: destination.clone(),
            cause,
        }
    };
    for (part, content, digest) in [
        ("the layer", &image.layer, &image.layer_digest),
        ("the configuration", &image.config, &image.config_digest),
    ] {
        let digest = digest.to_string();
        if !client.blob_exists(reference, &digest).await.map_err(failed(part))? {
            client
                .push_blob(reference, content.clone(), &digest)
                .await
                .map_err(failed(part))?;
        }
    }
    client
        .push_manifest_raw(
            reference,
            image.manifest.clone(),
            HeaderValue::from_static(IMAGE_MANIFEST),
        )
        .await
        .map_err(failed("the manifest"))?;
    Ok(image.digest().clone())
}

/// Plain HTTP to this machine, HTTPS everywhere else.
fn client(registry: &str) -> Client {
    let host = registry.rsplit_once(':').map_or(registry, |(host, _)| host);
    let local = host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
    let protocol = if local {
        ClientProtocol::Http
    } else {
        ClientProtocol::Https
    };
    Client::new(ClientConfig {
        protocol,
        use_monolithic_push: true,
        ..ClientConfig::default()
    })
}

impl FromStr for Destination {
    type Err = PushError;

    /// The registry and the tag must be said: neither Docker's hub nor `latest` is ever meant by silence.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let reference: Reference = text.parse().map_err(|cause| PushError::Name {
            text: text.to_owned(),
            cause: Some(cause),
        })?;
        let said = text.starts_with(&format!("{}/", reference.registry()));
        let tagged =
            reference.digest().is_none() && reference.tag().is_some_and(|tag| text.ends_with(&format!(":{tag}")));
        if said && tagged {
            Ok(Self(reference))
        } else {
            Err(PushError::Name {
                text: text.to_owned(),
                cause: None,
            })
        }
    }
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_destination_says_registry_repository_and_tag() {
        let right: Destination = "127.0.0.1:4566/team/web:1.0.0".parse().unwrap();
        assert_eq!(right.to_string(), "127.0.0.1:4566/team/web:1.0.0");
        for wrong in ["web", "web:1", "127.0.0.1:4566/web", "127.0.0.1:4566/UPPER:1", ""] {
            assert!(wrong.parse::<Destination>().is_err(), "{wrong}");
        }
    }
}
