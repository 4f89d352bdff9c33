//! The JSON documents of an image (OCI Image Format Specification): manifests, indexes, configurations. Only the fields used here;
//! documents are stored and served byte for byte as they came.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::digest::Digest;

pub(super) const IMAGE_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
pub(super) const IMAGE_INDEX: &str = "application/vnd.oci.image.index.v1+json";
pub(super) const IMAGE_CONFIG: &str = "application/vnd.oci.image.config.v1+json";
pub(super) const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";
const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";

/// Where an image layout's index keeps a tag.
pub(super) const REF_NAME: &str = "org.opencontainers.image.ref.name";

/// A content and what is known about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Descriptor {
    pub(super) media_type: String,
    pub(super) digest: Digest,
    pub(super) size: u64,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) annotations: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) platform: Option<Platform>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Platform {
    pub(super) architecture: String,
    pub(super) os: String,
}

/// One image: a configuration and layers, the lowest first.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Manifest {
    pub(super) schema_version: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) media_type: Option<String>,
    pub(super) config: Descriptor,
    pub(super) layers: Vec<Descriptor>,
}

/// Several images under one name; also the table of contents of an image layout.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Index {
    pub(super) schema_version: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) media_type: Option<String>,
    pub(super) manifests: Vec<Descriptor>,
}

/// How to run an image.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Configuration {
    pub(super) architecture: String,
    pub(super) os: String,
    #[serde(default)]
    pub(super) config: Execution,
    pub(super) rootfs: RootFs,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct Execution {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) user: Option<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) exposed_ports: BTreeMap<String, serde_json::Value>,
    /// `NAME=value`. Null stands for none, here and below: Docker writes it so.
    #[serde(deserialize_with = "null_is_empty")]
    pub(super) env: Vec<String>,
    #[serde(deserialize_with = "null_is_empty")]
    pub(super) entrypoint: Vec<String>,
    #[serde(deserialize_with = "null_is_empty")]
    pub(super) cmd: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) working_dir: Option<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty", deserialize_with = "null_is_empty")]
    pub(super) labels: BTreeMap<String, String>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct RootFs {
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) diff_ids: Vec<String>,
}

/// What is pushed under a manifest's address.
#[derive(Debug, Clone)]
pub(super) enum Document {
    Image(Manifest),
    Index(Index),
}

/// A manifest that cannot be taken.
#[derive(Debug, thiserror::Error)]
pub(super) enum BadManifest {
    #[error("the manifest is not the JSON its media type promises")]
    Json(#[source] serde_json::Error),
    #[error("manifests of the media type `{0}` are not supported")]
    MediaType(String),
}

impl Document {
    pub(super) fn parse(media_type: &str, bytes: &[u8]) -> Result<Self, BadManifest> {
        match media_type {
            IMAGE_MANIFEST | DOCKER_MANIFEST => serde_json::from_slice(bytes)
                .map(Self::Image)
                .map_err(BadManifest::Json),
            IMAGE_INDEX | DOCKER_LIST => serde_json::from_slice(bytes)
                .map(Self::Index)
                .map_err(BadManifest::Json),
            other => Err(BadManifest::MediaType(other.to_owned())),
        }
    }
}

/// The media type a document gives itself, for pushes that do not say.
pub(super) fn own_media_type(bytes: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Typed {
        media_type: Option<String>,
    }
    serde_json::from_slice::<Typed>(bytes).ok()?.media_type
}

/// Whether this is several images under one name.
pub(super) fn is_index(media_type: &str) -> bool {
    matches!(media_type, IMAGE_INDEX | DOCKER_LIST)
}

impl Index {
    /// A table of contents without content.
    pub(super) fn empty() -> Self {
        Self {
            schema_version: 2,
            media_type: Some(IMAGE_INDEX.to_owned()),
            manifests: Vec::new(),
        }
    }

    /// The image for the machine this runs on.
    pub(super) fn for_this_machine(&self) -> Option<&Descriptor> {
        let wanted = Platform {
            architecture: architecture().to_owned(),
            os: String::from("linux"),
        };
        self.manifests
            .iter()
            .find(|manifest| manifest.platform.as_ref() == Some(&wanted))
    }
}

/// This machine's architecture as Go, and so every image, names it.
pub(super) fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

fn null_is_empty<'de, D, T>(from: D) -> Result<T, D::Error>
where
    D: serde::Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Option::<T>::deserialize(from).map(Option::unwrap_or_default)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_configuration_as_docker_writes_it_is_read() {
        let text = r#"{"architecture":"amd64","os":"linux","created":"2024-01-01T00:00:00Z",
            "config":{"User":"","Env":["PATH=/bin","A=b=c"],"Entrypoint":null,"Cmd":["/bin/sh"],"WorkingDir":"","Labels":null,"OnBuild":null},
            "rootfs":{"type":"layers","diff_ids":["sha256:x"]},"history":[]}"#;
        let configuration: Configuration = serde_json::from_str(text).unwrap();
        assert_eq!(configuration.config.env, ["PATH=/bin", "A=b=c"]);
        assert!(configuration.config.entrypoint.is_empty());
        assert_eq!(configuration.config.cmd, ["/bin/sh"]);
    }
}
