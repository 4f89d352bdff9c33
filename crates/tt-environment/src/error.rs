//! Why an environment could not be loaded, in words for whoever wrote the file.
//!
//! A refused file lists every problem that could be found in it, each with its place, what was expected and, where one
//! can be guessed, what was meant. What may be a secret is never repeated.

use std::fmt;
use std::io;
use std::path::PathBuf;

use crate::{EnvironmentName, InvalidValue};

/// Why an environment could not be loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// There is no file for it.
    #[error("there is no environment `{name}` in {}{}", dir.display(), known_environments(known, nearest.as_ref()))]
    Unknown {
        /// What was asked for.
        name: EnvironmentName,
        /// Where it was looked for.
        dir: PathBuf,
        /// What is there, in order.
        known: Vec<EnvironmentName>,
        /// The one that was probably meant.
        nearest: Option<EnvironmentName>,
    },
    /// The folder itself cannot be read.
    #[error("could not list the environments in {}", dir.display())]
    Directory {
        /// The folder.
        dir: PathBuf,
        /// Why.
        #[source]
        cause: io::Error,
    },
    /// The file is there and cannot be read.
    #[error("could not read the environment {}", file.display())]
    File {
        /// The file.
        file: PathBuf,
        /// Why.
        #[source]
        cause: io::Error,
    },
    /// The file says something that cannot be.
    #[error("{}", listed(problems))]
    Invalid {
        /// Everything found wrong, in the order of the file; never empty.
        problems: Vec<Problem>,
    },
}

/// One thing wrong with a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The file.
    pub file: PathBuf,
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// The key it is about, with dots between levels: `rollout.canary.percent`. Empty for the file as a whole.
    pub key: String,
    /// What is wrong.
    pub kind: ProblemKind,
}

/// What is wrong at that place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProblemKind {
    /// It is not YAML.
    Syntax(String),
    /// No such key exists here.
    UnknownKey {
        /// The keys that do.
        known: Vec<String>,
        /// The one that was probably meant.
        nearest: Option<String>,
    },
    /// The mapping has the key already.
    DuplicateKey,
    /// The mapping lacks this key.
    MissingKey {
        /// What the key is for.
        purpose: String,
    },
    /// The value is of another kind.
    WrongType {
        /// The kind it should be of.
        expected: String,
        /// The kind it is of.
        found: String,
        /// How to write it instead.
        hint: Option<&'static str>,
    },
    /// The value is of the right kind and not acceptable.
    BadValue(InvalidValue),
    /// None of the values that exist.
    UnknownValue {
        /// What was found.
        found: String,
        /// The values that exist.
        known: Vec<String>,
        /// The one that was probably meant.
        nearest: Option<String>,
    },
    /// The value is outside its limits or does not go with another key.
    NotAllowed(String),
    /// A variable is not set and has no default.
    MissingVariable(String),
    /// Something that begins like a reference to a variable and is none.
    MalformedReference,
    /// A value stands where only a reference to a secret may. It is not repeated.
    SecretValue,
}

impl ProblemKind {
    /// How the reference begins that is at fault, when one is: the place is there, not where its value begins.
    pub(crate) fn reference(&self) -> Option<String> {
        if let Self::MissingVariable(name) = self {
            return Some(format!("${{{name}"));
        }
        (*self == Self::MalformedReference).then(|| "${".to_owned())
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = &self.key;
        write!(f, "{}:{}:{}: ", self.file.display(), self.line, self.column)?;
        match &self.kind {
            ProblemKind::Syntax(message) => write!(f, "this is not YAML: {message}"),
            ProblemKind::UnknownKey { known, nearest } => {
                write!(f, "unknown key `{key}`")?;
                if known.is_empty() {
                    return Ok(());
                }
                write!(f, "\n  known here: {}", known.join(", "))?;
                meant(f, nearest.as_deref())
            }
            ProblemKind::DuplicateKey => write!(f, "`{key}` is there twice\n  keep one of them"),
            ProblemKind::MissingKey { purpose } => {
                write!(f, "`{key}` is missing\n  it says: {purpose}")
            }
            ProblemKind::WrongType { expected, found, hint } => {
                match key.as_str() {
                    "" => write!(f, "the file holds {found}")?,
                    key => write!(f, "`{key}` is {found}")?,
                }
                write!(f, "\n  expected {expected}")?;
                hint.map_or(Ok(()), |hint| write!(f, "\n  {hint}"))
            }
            ProblemKind::BadValue(value) => write!(f, "`{key}`: {value}"),
            ProblemKind::UnknownValue { found, known, nearest } => {
                write!(
                    f,
                    "`{key}`: `{}` is none of: {}",
                    found.escape_debug(),
                    known.join(", ")
                )?;
                meant(f, nearest.as_deref())
            }
            ProblemKind::NotAllowed(message) => write!(f, "{message}"),
            ProblemKind::MissingVariable(name) => {
                write!(f, "`{key}` needs the environment variable {name}, which is not set\n  ")?;
                write!(f, "set it, or give a default in the file: ${{{name}:-DEFAULT}}")
            }
            ProblemKind::MalformedReference => {
                write!(f, "`{key}`: `${{` begins a reference that is none\n  ")?;
                write!(f, "write ${{NAME}} or ${{NAME:-DEFAULT}}, or $${{ for a literal ${{")
            }
            ProblemKind::SecretValue => {
                write!(f, "`{key}` must name a secret, not hold one\n  ")?;
                write!(f, "keep the value in Secrets Manager and write {{secret: NAME}}; ")?;
                write!(f, "a value that was in a file is to be replaced")
            }
        }
    }
}

fn meant(f: &mut fmt::Formatter<'_>, nearest: Option<&str>) -> fmt::Result {
    nearest.map_or(Ok(()), |nearest| write!(f, "\n  did you mean `{nearest}`?"))
}

fn listed(problems: &[Problem]) -> String {
    let mut lines: Vec<String> = problems.iter().map(Problem::to_string).collect();
    if problems.len() > 1 {
        lines.push(format!("{} problems", problems.len()));
    }
    lines.join("\n")
}

fn known_environments(known: &[EnvironmentName], nearest: Option<&EnvironmentName>) -> String {
    if known.is_empty() {
        return "; there is none at all (a file NAME.yaml is one)".to_owned();
    }
    let names: Vec<&str> = known.iter().map(EnvironmentName::as_str).collect();
    let list = format!("; known: {}", names.join(", "));
    nearest.map_or(list.clone(), |nearest| format!("{list}\n  did you mean `{nearest}`?"))
}

/// The candidate that is close enough to have been meant.
pub(crate) fn nearest<'c>(found: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
    let tolerance = (found.chars().count() / 3).max(1);
    let spelled = |text: &str| text.to_lowercase().replace('-', "_");
    candidates
        .into_iter()
        .map(|candidate| {
            (
                strsim::damerau_levenshtein(&spelled(found), &spelled(candidate)),
                candidate,
            )
        })
        .filter(|(distance, _)| *distance <= tolerance)
        .min()
        .map(|(_, candidate)| candidate)
}
