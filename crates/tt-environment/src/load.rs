//! From a name to an environment. Reading the file is the only thing done to the world here; variables are handed in.

use std::path::Path;
use std::{fs, io};

use crate::error::{LoadError, Problem, ProblemKind, nearest};
use crate::locate::{Part, Position, locate, locate_within};
use crate::node::Node;
use crate::shape::{Finding, fit};
use crate::validate::validate;
use crate::{Environment, EnvironmentName, raw, schema};

/// Loads the environment `name` from `dir`, which holds one `NAME.yaml` for each. `vars` answers for `${NAME}`.
pub fn load(
    dir: &Path,
    name: &EnvironmentName,
    vars: &dyn Fn(&str) -> Option<String>,
) -> Result<Environment, LoadError> {
    let file = dir.join(format!("{name}.yaml"));
    let text = match fs::read_to_string(&file) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(unknown(dir, name)),
        Err(cause) => return Err(LoadError::File { file, cause }),
    };
    read(&text, name, &file, vars).map_err(|problems| LoadError::Invalid { problems })
}

/// The environments that `dir` holds, in order. Files that are not named like one are passed over.
pub fn known(dir: &Path) -> Result<Vec<EnvironmentName>, LoadError> {
    let unreadable = |cause| LoadError::Directory {
        dir: dir.to_owned(),
        cause,
    };
    let mut names = Vec::new();
    for entry in fs::read_dir(dir).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        let stem = path.file_stem().and_then(|stem| stem.to_str());
        if path.extension().is_some_and(|extension| extension == "yaml") {
            names.extend(stem.and_then(|stem| EnvironmentName::parse(stem).ok()));
        }
    }
    names.sort();
    Ok(names)
}

/// Reads the text of `file`: its shape first, and only a well-shaped one for its meaning.
fn read(
    text: &str,
    name: &EnvironmentName,
    file: &Path,
    vars: &dyn Fn(&str) -> Option<String>,
) -> Result<Environment, Vec<Problem>> {
    let place = |findings| placed(findings, text, file);
    let tree: Node = serde_yaml::from_str(text).map_err(|error| vec![not_yaml(&error, file)])?;
    let values = fit(&tree, &schema(), vars).map_err(place)?;
    let raw: raw::Environment = serde_json::from_value(values).map_err(|error| {
        // The shape admits nothing that `raw` refuses; should they ever differ, the file is refused all the same.
        let kind = ProblemKind::NotAllowed(error.to_string());
        place(vec![Finding {
            indices: Vec::new(),
            part: Part::Value,
            key: String::new(),
            kind,
        }])
    })?;
    validate(raw, name.clone(), file, &tree).map_err(place)
}

fn unknown(dir: &Path, name: &EnvironmentName) -> LoadError {
    let known = match known(dir) {
        Ok(known) => known,
        Err(error) => return error,
    };
    let nearest = nearest(name.as_str(), known.iter().map(EnvironmentName::as_str));
    let nearest = nearest.and_then(|nearest| EnvironmentName::parse(nearest).ok());
    LoadError::Unknown {
        name: name.clone(),
        dir: dir.to_owned(),
        known,
        nearest,
    }
}

fn not_yaml(error: &serde_yaml::Error, file: &Path) -> Problem {
    let message = error.to_string();
    // The place is told apart from the message, so it is not told twice.
    let message = message.split(" at line ").next().unwrap_or_default().to_owned();
    let position = Position::of(error).unwrap_or(Position::START);
    problem(file, position, String::new(), ProblemKind::Syntax(message))
}

/// The findings with their lines and columns, in the order of the file.
fn placed(findings: Vec<Finding>, text: &str, file: &Path) -> Vec<Problem> {
    let mut problems: Vec<Problem> = findings
        .into_iter()
        .map(|finding| {
            let position = locate(text, &finding.indices, finding.part);
            let reference = finding.kind.reference();
            let position = reference.map_or(position, |reference| locate_within(text, position, &reference));
            problem(file, position, finding.key, finding.kind)
        })
        .collect();
    problems.sort_by_key(|problem| (problem.line, problem.column));
    problems
}

fn problem(file: &Path, position: Position, key: String, kind: ProblemKind) -> Problem {
    Problem {
        file: file.to_owned(),
        line: position.line,
        column: position.column,
        key,
        kind,
    }
}
