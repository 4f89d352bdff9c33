//! The bill of materials of a program: every crate that is linked into it, in `CycloneDX` 1.5 (JSON).
//!
//! From `cargo tree` (what this program links, with its features), `cargo metadata` (licences and edges) and Cargo.lock
//! (checksums). It carries no time and no serial number: the same commit gives the same file.

use std::{
    collections::{BTreeMap, BTreeSet},
    env::consts::ARCH,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde::Deserialize;
use serde_json::{Value, json};

use crate::{failure::Failure, interrupt::Interrupt, place::Place, said::said};

/// A crate's name and version.
type Crate = (String, String);

#[derive(Debug, Deserialize)]
struct Metadata {
    packages: Vec<Package>,
    resolve: Resolve,
}

#[derive(Debug, Deserialize)]
struct Package {
    id: String,
    name: String,
    version: String,
    license: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Resolve {
    nodes: Vec<Node>,
}

#[derive(Debug, Deserialize)]
struct Node {
    id: String,
    deps: Vec<Dependency>,
}

#[derive(Debug, Deserialize)]
struct Dependency {
    pkg: String,
    dep_kinds: Vec<Kind>,
}

#[derive(Debug, Deserialize)]
struct Kind {
    /// Nothing for what is linked, `build` or `dev` for the rest.
    kind: Option<String>,
}

/// Writes `<package>.cdx.json` into a folder.
pub(super) fn write(place: &Place, package: &str, folder: &Path, interrupt: &Interrupt) -> Result<PathBuf, Failure> {
    let target = format!("{ARCH}-unknown-linux-gnu");
    let mut tree = cargo(
        place,
        &[
            "tree",
            "--locked",
            "--no-default-features",
            "--prefix=none",
            "--format={p}",
        ],
    );
    tree.args([
        "--edges=normal,no-proc-macro",
        "--package",
        package,
        "--target",
        &target,
    ]);
    let linked: BTreeSet<Crate> = said("cargo tree", &mut tree, interrupt)?
        .lines()
        .filter_map(of_tree)
        .collect();

    let mut metadata = cargo(
        place,
        &[
            "metadata",
            "--locked",
            "--format-version=1",
            "--filter-platform",
            &target,
        ],
    );
    let lock_file = place.root().join("Cargo.lock");
    let metadata: Metadata =
        serde_json::from_str(&said("cargo metadata", &mut metadata, interrupt)?).map_err(|cause| Failure::Json {
            path: lock_file.clone(),
            cause,
        })?;
    let lock = fs::read_to_string(&lock_file).map_err(|cause| Failure::Read { path: lock_file, cause })?;

    let path = folder.join(format!("{package}.cdx.json"));
    let text = serde_json::to_string_pretty(&bill(package, &linked, &metadata, &checksums(&lock)));
    let text = text.map_err(|cause| Failure::Json {
        path: path.clone(),
        cause,
    })?;
    match fs::write(&path, text + "\n") {
        Ok(()) => Ok(path),
        Err(cause) => Err(Failure::Write { path, cause }),
    }
}

fn cargo(place: &Place, arguments: &[&str]) -> Command {
    let mut command = Command::new("cargo");
    command.args(arguments).current_dir(place.root());
    command
}

/// `serde v1.0.228 (proc-macro) (*)` → serde, 1.0.228.
fn of_tree(line: &str) -> Option<Crate> {
    let mut words = line.split(' ');
    let name = words.next().filter(|name| !name.is_empty())?;
    let version = words.next()?.strip_prefix('v')?;
    Some((name.to_owned(), version.to_owned()))
}

/// What Cargo.lock says the sources of each crate hash to.
fn checksums(lock: &str) -> BTreeMap<Crate, String> {
    let field = |entry: &str, name: &str| {
        entry
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(" = \"")?.strip_suffix('"'))
            .map(str::to_owned)
    };
    lock.split("[[package]]")
        .skip(1)
        .filter_map(|entry| {
            Some((
                (field(entry, "name")?, field(entry, "version")?),
                field(entry, "checksum")?,
            ))
        })
        .collect()
}

fn bill(package: &str, linked: &BTreeSet<Crate>, metadata: &Metadata, checksums: &BTreeMap<Crate, String>) -> Value {
    let by_id: BTreeMap<&str, Crate> = metadata
        .packages
        .iter()
        .map(|package| (package.id.as_str(), (package.name.clone(), package.version.clone())))
        .filter(|(_, of)| linked.contains(of))
        .collect();
    let mut packages: Vec<&Package> = metadata
        .packages
        .iter()
        .filter(|package| by_id.contains_key(package.id.as_str()))
        .collect();
    packages.sort_by(|one, other| (&one.name, &one.version).cmp(&(&other.name, &other.version)));
    let (itself, others): (Vec<&Package>, Vec<&Package>) = packages.into_iter().partition(|each| each.name == package);
    let mut dependencies: Vec<(String, BTreeSet<String>)> = metadata
        .resolve
        .nodes
        .iter()
        .filter_map(|node| Some((purl(by_id.get(node.id.as_str())?), on(node, &by_id))))
        .collect();
    dependencies.sort();
    json!({
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": { "component": itself.first().map(|package| component(package, "application", checksums)) },
        "components": others.iter().map(|package| component(package, "library", checksums)).collect::<Vec<_>>(),
        "dependencies": dependencies
            .iter()
            .map(|(of, on)| json!({ "ref": of, "dependsOn": on }))
            .collect::<Vec<_>>(),
    })
}

fn on(node: &Node, by_id: &BTreeMap<&str, Crate>) -> BTreeSet<String> {
    node.deps
        .iter()
        .filter(|dependency| dependency.dep_kinds.iter().any(|kind| kind.kind.is_none()))
        .filter_map(|dependency| by_id.get(dependency.pkg.as_str()))
        .map(purl)
        .collect()
}

fn component(package: &Package, kind: &str, checksums: &BTreeMap<Crate, String>) -> Value {
    let of = (package.name.clone(), package.version.clone());
    let mut component = json!({
        "type": kind,
        "bom-ref": purl(&of),
        "name": package.name,
        "version": package.version,
        "purl": purl(&of),
    });
    if let Some(license) = &package.license {
        // Cargo once allowed `/` where SPDX says OR.
        component["licenses"] = json!([{ "expression": license.replace('/', " OR ") }]);
    }
    if let Some(checksum) = checksums.get(&of) {
        component["hashes"] = json!([{ "alg": "SHA-256", "content": checksum }]);
    }
    component
}

/// Package URL specification, type cargo.
fn purl((name, version): &Crate) -> String {
    format!("pkg:cargo/{name}@{}", version.replace('+', "%2B"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_cargo_tree_and_of_the_lock_file_are_read() {
        assert_eq!(
            of_tree("tt-plan v0.1.0 (/src/crates/tt-plan) (*)"),
            Some(("tt-plan".into(), "0.1.0".into()))
        );
        assert_eq!(of_tree(""), None);
        let lock = "version = 4\n\n[[package]]\nname = \"own\"\nversion = \"0.1.0\"\n\n[[package]]\nname = \"a\"\nversion = \"1.2.3\"\nchecksum = \"ab\"\n";
        assert_eq!(
            checksums(lock),
            BTreeMap::from([(("a".into(), "1.2.3".into()), "ab".into())])
        );
    }

    #[test]
    fn a_bill_names_what_is_linked_and_on_what_it_depends() {
        let metadata = json!({
            "packages": [
                {"id": "own", "name": "own", "version": "0.1.0", "license": "Apache-2.0"},
                {"id": "a", "name": "a", "version": "1.0.0+x", "license": "MIT/Apache-2.0"},
                {"id": "tests", "name": "tests", "version": "1.0.0", "license": null},
            ],
            "resolve": {"nodes": [
                {"id": "own", "deps": [
                    {"pkg": "a", "dep_kinds": [{"kind": null}]},
                    {"pkg": "tests", "dep_kinds": [{"kind": "dev"}]},
                ]},
                {"id": "a", "deps": []},
                {"id": "tests", "deps": []},
            ]},
        });
        let metadata: Metadata = serde_json::from_value(metadata).unwrap();
        let linked = BTreeSet::from([("own".into(), "0.1.0".into()), ("a".into(), "1.0.0+x".into())]);
        let sums = BTreeMap::from([(("a".into(), "1.0.0+x".into()), "ab".into())]);
        let bill = bill("own", &linked, &metadata, &sums);
        assert_eq!(bill["metadata"]["component"]["name"], "own");
        assert_eq!(
            bill["components"],
            json!([{
                "type": "library", "bom-ref": "pkg:cargo/a@1.0.0%2Bx", "name": "a", "version": "1.0.0+x",
                "purl": "pkg:cargo/a@1.0.0%2Bx", "licenses": [{"expression": "MIT OR Apache-2.0"}],
                "hashes": [{"alg": "SHA-256", "content": "ab"}],
            }])
        );
        assert_eq!(
            bill["dependencies"],
            json!([
                {"ref": "pkg:cargo/a@1.0.0%2Bx", "dependsOn": []},
                {"ref": "pkg:cargo/own@0.1.0", "dependsOn": ["pkg:cargo/a@1.0.0%2Bx"]},
            ])
        );
    }
}
