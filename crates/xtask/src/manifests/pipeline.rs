//! The pipeline's promises: what GitLab's own schema cannot say of `.gitlab-ci.yml`.
//!
//! A job that deploys without an approval, or that calls a rollback a success, is a valid file. So the graph of jobs is held to
//! what README and docs/deployment.md promise, each promise a function of the file alone.

mod jobs;
mod patience;
mod promises;

use std::path::Path;

use serde_yaml::Value;

use crate::{
    failure::Failure,
    place::{self, Place},
};

use self::jobs::Pipeline;

/// Where GitLab looks for it.
pub(super) const FILE: &str = ".gitlab-ci.yml";

/// Every broken promise, with the job that breaks it.
pub(super) fn complaints(place: &Place) -> Result<Vec<String>, Failure> {
    let pipeline = Pipeline::new(&read(&place.root().join(FILE))?).map_err(Failure::Check)?;
    let mut complaints = promises::broken(&pipeline);
    for environment in promises::ENVIRONMENTS {
        let file = place.root().join(format!("environments/{environment}.yaml"));
        complaints.extend(patience::too_short(&pipeline, environment, &read(&file)?));
    }
    Ok(complaints)
}

fn read(path: &Path) -> Result<Value, Failure> {
    serde_yaml::from_str(&place::read(path)?).map_err(|cause| Failure::Check(format!("{}: {cause}", path.display())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pipeline_keeps_its_promises() {
        let place = Place::find().unwrap();
        assert_eq!(complaints(&place).unwrap(), Vec::<String>::new());
    }
}
