//! From what a person types to an image that cannot change: tags are resolved through the OCI distribution protocol, so any registry will do.

use std::path::PathBuf;

use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use oci_client::{
    Client, Reference,
    client::{ClientConfig, ClientProtocol},
    secrets::RegistryAuth,
};
use secrecy::ExposeSecret;
use serde::Deserialize;
use tt_environment::{Environment, ImageDigest, ImageReference, Repository, Version};
use tt_execute::{PortError, PortErrorKind};
use tt_plan::{GivenBy, PinnedImage};

use crate::{
    clients::Clients,
    error::{absent, failed, not_found, other},
    secrets,
};

/// A pinned image with how it was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolved {
    /// The image by digest; the registry has it.
    pub image: PinnedImage,
    /// By tag or by digest.
    pub given_by: GivenBy,
}

/// Resolves `wanted`: a whole reference, or just a tag or digest of the environment's repository.
pub async fn resolve_image(clients: &Clients, environment: &Environment, wanted: &str) -> Result<Resolved, PortError> {
    let reference = reference(environment, wanted)?;
    let action = format!("find image {reference} in its registry");
    let asked: Reference = reference
        .to_string()
        .parse()
        .map_err(|error| other(action.clone(), PortErrorKind::Unexpected, format!("{error}")))?;
    let auth = login(clients, environment, &reference.repository).await?;
    let found = client(&reference.repository)
        .fetch_manifest_digest(&asked, &auth)
        .await
        .map_err(|error| refused(&action, &error))?;
    let digest =
        ImageDigest::parse(&found).map_err(|error| other(action, PortErrorKind::Unexpected, error.to_string()))?;
    let given_by = match reference.version {
        Version::Tag(tag) => GivenBy::Tag(tag),
        Version::Digest(_) => GivenBy::Digest,
    };
    Ok(Resolved {
        image: PinnedImage {
            repository: reference.repository,
            digest,
        },
        given_by,
    })
}

/// Images of another repository are refused: the roles and the scan that guard this environment are the named repository's.
fn reference(environment: &Environment, wanted: &str) -> Result<ImageReference, PortError> {
    let ours = &environment.image.repository;
    let action = format!("understand image `{wanted}`");
    let whole = match wanted {
        digest if digest.starts_with("sha256:") => format!("{ours}@{digest}"),
        tag if !tag.contains(['/', ':', '@']) => format!("{ours}:{tag}"),
        whole => whole.to_owned(),
    };
    let reference = ImageReference::parse(&whole)
        .map_err(|error| other(action.clone(), PortErrorKind::NotFound, error.to_string()))?;
    if reference.repository == *ours {
        return Ok(reference);
    }
    let hint = format!(
        "pass an image of {ours}, or change `image.repository` in {}",
        environment.file.display()
    );
    Err(not_found(
        action,
        format!("environment `{}` deploys images of {ours}", environment.name),
        hint,
    ))
}

fn client(repository: &Repository) -> Client {
    // Without TLS only on this machine, where the sandbox's registry lives.
    let host = repository.registry();
    let name = host.split(':').next().unwrap_or(host);
    let local = name == "localhost" || name.starts_with("127.");
    let protocol = if local {
        ClientProtocol::Http
    } else {
        ClientProtocol::Https
    };
    Client::new(ClientConfig {
        protocol,
        ..ClientConfig::default()
    })
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "of a registry client's two dozen errors only these can be helped"
)]
fn refused(action: &str, error: &oci_client::errors::OciDistributionError) -> PortError {
    use oci_client::errors::OciDistributionError as Oci;
    match error {
        Oci::ImageManifestNotFoundError(_) | Oci::ServerError { code: 404, .. } | Oci::RegistryError { .. } => {
            not_found(
                action,
                "the registry has no such image",
                "push it first; `--image` takes a tag or a digest that exists",
            )
        }
        Oci::AuthenticationFailure(_) | Oci::UnauthorizedError { .. } | Oci::ServerError { code: 401 | 403, .. } => {
            let mut error = other(action, PortErrorKind::Denied, "the registry refused the login");
            error.hint =
                Some("name a Secrets Manager secret in `image.credentials`, or log in with `docker login`".to_owned());
            error
        }
        Oci::RequestError(_) => other(action, PortErrorKind::Unreachable, innermost(error)),
        unexpected => other(action, PortErrorKind::Other, unexpected.to_string()),
    }
}

fn innermost(error: &dyn std::error::Error) -> String {
    let mut last: &dyn std::error::Error = error;
    while let Some(cause) = last.source() {
        last = cause;
    }
    last.to_string()
}

/// The login in the order in which it is most on purpose: the environment's secret, ECR's own token, what `docker login` left, none.
async fn login(
    clients: &Clients,
    environment: &Environment,
    repository: &Repository,
) -> Result<RegistryAuth, PortError> {
    if let Some(name) = &environment.image.credentials {
        let action = format!("read the registry login in secret `{name}`");
        let text = secrets::value(clients, name).await?;
        // Never quote the parser's error: it could repeat a part of the secret.
        let login: Login = serde_json::from_str(text.expose_secret()).map_err(|_hidden| {
            other(
                action,
                PortErrorKind::Unexpected,
                "it is no JSON object with `username` and `password`",
            )
        })?;
        return Ok(RegistryAuth::Basic(login.username, login.password));
    }
    if repository.registry().contains(".dkr.ecr.") {
        return ecr_token(clients).await;
    }
    Ok(docker_login(repository.registry()).unwrap_or(RegistryAuth::Anonymous))
}

/// As ECS wants it in `repositoryCredentials` (Amazon ECS Developer Guide, "Private registry authentication").
#[derive(Deserialize)]
struct Login {
    username: String,
    password: String,
}

async fn ecr_token(clients: &Clients) -> Result<RegistryAuth, PortError> {
    let action = "get a login for Amazon ECR";
    let answer = clients
        .ecr
        .get_authorization_token()
        .send()
        .await
        .map_err(failed(action))?;
    let token = answer
        .authorization_data()
        .first()
        .and_then(|data| data.authorization_token())
        .ok_or_else(|| absent(action, "token"))?;
    basic(token).ok_or_else(|| absent(action, "user name and password in its token"))
}

/// What `docker login` wrote into `config.json`; credential helpers are not asked.
fn docker_login(registry: &str) -> Option<RegistryAuth> {
    #[derive(Deserialize)]
    struct Config {
        #[serde(default)]
        auths: std::collections::HashMap<String, Entry>,
    }
    #[derive(Deserialize)]
    struct Entry {
        auth: Option<String>,
    }
    // GitLab hands its jobs the file's content in a variable of this name.
    let text = std::env::var("DOCKER_AUTH_CONFIG")
        .ok()
        .or_else(|| std::fs::read_to_string(docker_config()?).ok())?;
    let config: Config = serde_json::from_str(&text).ok()?;
    basic(config.auths.get(registry)?.auth.as_deref()?)
}

fn docker_config() -> Option<PathBuf> {
    let folder = std::env::var_os("DOCKER_CONFIG").map(PathBuf::from);
    folder
        .or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".docker")))
        .map(|folder| folder.join("config.json"))
}

fn basic(token: &str) -> Option<RegistryAuth> {
    let text = String::from_utf8(BASE64.decode(token).ok()?).ok()?;
    let (user, password) = text.split_once(':')?;
    Some(RegistryAuth::Basic(user.to_owned(), password.to_owned()))
}
