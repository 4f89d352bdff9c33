//! From `--image` and `--release` to a release.

use tt_aws::resolve_image;
use tt_environment::ReleaseName;
use tt_plan::{GivenBy, Release};

use crate::{context::Context, exit::Exit, failure::Failure};

pub(crate) async fn resolve(
    context: &Context,
    image: &str,
    name: Option<&str>,
    commit: Option<&str>,
) -> Result<Release, Failure> {
    let resolved = resolve_image(&context.clients, &context.environment, image)
        .await
        .map_err(|error| context.failure(error))?;
    let name = match (name, &resolved.given_by) {
        (Some(name), _) => name.to_owned(),
        (None, GivenBy::Tag(tag)) => tag.clone(),
        (None, GivenBy::Digest) => resolved.image.digest.short().to_owned(),
    };
    let name = ReleaseName::parse(&name).map_err(|error| Failure::new(Exit::Usage, format!("--release: {error}")))?;
    Ok(Release {
        name,
        image: resolved.image,
        given_by: resolved.given_by,
        commit: commit.map(ToOwned::to_owned),
    })
}
