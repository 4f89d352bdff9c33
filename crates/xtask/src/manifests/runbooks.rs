//! The runbooks: whoever is woken by an alarm finds its page, and whoever follows a link arrives.
//!
//! Alarms are read where they are defined, line by line, in YAML and HCL alike: the two names that are wanted stand on lines of
//! their own. That `tt-ops` takes the commands of the pages is a test of
//! `tt-ops` (`cli/written.rs`).

use std::{collections::BTreeMap, fs, path::Path};

use crate::{failure::Failure, place::read};

const FOLDER: &str = "runbooks";
const INDEX: &str = "README.md";
/// A page is read on one screen, more or less; the index is allowed to be a list.
const LINES: usize = 80;
/// What every page has, in this order; the first one may be about users or about one person.
const PARTS: [&str; 5] = ["## What ", "## First look", "## Decide", "## Do", "## Afterwards"];
/// What Terraform's alarms are named after, in the environments and here.
const SERVICE: &str = "task-tracker";

/// Something that wakes people.
#[derive(Debug, PartialEq, Eq)]
struct Alarm {
    /// As the person sees it; up to the first thing that is only known when it is created.
    name: String,
    /// The page that the alarm itself names; a sandbox's alarms name none.
    page: Option<String>,
    from: &'static str,
}

/// Reads pages and alarms and says all that is wrong, a line each.
pub(super) fn complaints(root: &Path) -> Result<Vec<String>, Failure> {
    let pages = pages(&root.join(FOLDER))?;
    let alarms = alarms(root)?;
    let mut complaints = of_alarms(&alarms, &pages);
    complaints.extend(of_pages(&pages));
    complaints.extend(of_links(&pages, |path| {
        fs::read_to_string(root.join(FOLDER).join(path)).ok()
    }));
    Ok(complaints)
}

fn alarms(root: &Path) -> Result<Vec<Alarm>, Failure> {
    let read = |path: &str| read(&root.join(path));
    let observability = "infrastructure/terraform/modules/observability";
    let mut alarms = of_prometheus(&read("monitoring/prometheus/rules/task-tracker.yml")?);
    for file in ["main.tf", "burn_rate.tf"] {
        alarms.extend(of_terraform(&read(&format!("{observability}/{file}"))?));
    }
    alarms.extend(of_sandbox(&read("infrastructure/sandbox/stack.yaml")?));
    Ok(alarms)
}

fn pages(folder: &Path) -> Result<BTreeMap<String, String>, Failure> {
    let entries = fs::read_dir(folder).map_err(|cause| Failure::Read {
        path: folder.to_owned(),
        cause,
    })?;
    entries
        .flatten()
        .map(|entry| Ok((entry.file_name().to_string_lossy().into_owned(), read(&entry.path())?)))
        .collect()
}

fn of_prometheus(rules: &str) -> Vec<Alarm> {
    let mut alarms: Vec<Alarm> = Vec::new();
    for line in rules.lines().map(str::trim) {
        if let Some(name) = line.strip_prefix("- alert:") {
            alarms.push(Alarm {
                name: name.trim().to_owned(),
                page: None,
                from: "monitoring/prometheus",
            });
        } else if let (Some(url), Some(alarm)) = (line.strip_prefix("runbook_url:"), alarms.last_mut()) {
            alarm.page = url.trim().strip_prefix("runbooks/").map(str::to_owned);
        }
    }
    alarms
}

fn of_terraform(code: &str) -> Vec<Alarm> {
    let mut alarms: Vec<Alarm> = Vec::new();
    for line in code.lines() {
        let Some((key, value)) = line.split_once('=').map(|(key, value)| (key.trim(), value.trim())) else {
            continue;
        };
        match key {
            "alarm_name" => {
                let name = value.trim_matches('"').replace("${var.service_name}", SERVICE);
                alarms.push(Alarm {
                    name: name.split("${").next().unwrap_or_default().to_owned(),
                    page: None,
                    from: "infrastructure/terraform",
                });
            }
            "alarm_description" => {
                if let Some(alarm) = alarms.last_mut() {
                    alarm.page = value
                        .split_once("${var.runbooks}/")
                        .map(|(_, page)| page.trim_matches('"').to_owned());
                }
            }
            _ => {}
        }
    }
    alarms
}

fn of_sandbox(stack: &str) -> Vec<Alarm> {
    let alarms = stack.lines().skip_while(|line| !line.starts_with("alarms:")).skip(1);
    let alarms = alarms.take_while(|line| line.is_empty() || line.starts_with([' ', '#']));
    let name = |line: &str| line.trim().strip_prefix("- name:").map(|name| name.trim().to_owned());
    let alarm = |name| Alarm {
        name,
        page: None,
        from: "infrastructure/sandbox",
    };
    alarms.filter_map(name).map(alarm).collect()
}

/// Every alarm stands in the index, with the page that it names itself.
fn of_alarms(alarms: &[Alarm], pages: &BTreeMap<String, String>) -> Vec<String> {
    let index = pages.get(INDEX).map(String::as_str).unwrap_or_default();
    let mut complaints = Vec::new();
    if alarms.is_empty() {
        complaints.push("no alarms were found: are they where they were?".to_owned());
    }
    for Alarm { name, page, from } in alarms {
        // One whose name is known to its beginning only ends in a dash there.
        let is_it = |span: &str| span == name || (name.ends_with('-') && span.starts_with(name.as_str()));
        let row = index
            .lines()
            .find(|line| line.starts_with('|') && line.split('`').skip(1).step_by(2).any(is_it));
        match (row, page) {
            (None, _) => complaints.push(format!("{from}: the index lacks `{name}`")),
            (Some(_), None) if *from != "infrastructure/sandbox" => {
                complaints.push(format!("{from}: `{name}` names no runbook"));
            }
            (Some(_), Some(page)) if !pages.contains_key(page) => {
                complaints.push(format!("{from}: `{name}` names {page}, which does not exist"));
            }
            (Some(row), Some(page)) if !row.contains(&format!("({page})")) => {
                complaints.push(format!("{from}: `{name}` names {page}, and the index another page"));
            }
            (Some(_), _) => {}
        }
    }
    complaints
}

/// Every page is to be found in the index, is short, and has the form.
fn of_pages(pages: &BTreeMap<String, String>) -> Vec<String> {
    let index = pages.get(INDEX).map(String::as_str).unwrap_or_default();
    let mut complaints = Vec::new();
    for (name, text) in pages.iter().filter(|(name, _)| *name != INDEX) {
        if !index.contains(&format!("({name})")) {
            complaints.push(format!("{name}: the index does not lead to it"));
        }
        if text.lines().count() > LINES {
            complaints.push(format!("{name}: more than {LINES} lines"));
        }
        let mut rest = text.lines();
        if let Some(part) = PARTS.iter().find(|part| !rest.any(|line| line.starts_with(**part))) {
            complaints.push(format!("{name}: lacks `{}`, or has it in another place", part.trim()));
        }
    }
    complaints
}

/// Links within the repository lead to a file, and to a heading in it; addresses elsewhere are nobody's promise.
fn of_links(pages: &BTreeMap<String, String>, open: impl Fn(&str) -> Option<String>) -> Vec<String> {
    let mut complaints = Vec::new();
    for (name, text) in pages {
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            if link.contains("://") {
                continue;
            }
            let (path, part) = link.split_once('#').unwrap_or((link, ""));
            let target = if path.is_empty() {
                Some(text.clone())
            } else {
                open(path)
            };
            if !target.is_some_and(|target| part.is_empty() || target.lines().any(|line| anchor(line) == part)) {
                complaints.push(format!("{name}: {link} leads nowhere"));
            }
        }
    }
    complaints
}

/// What a heading is linked by; nothing of any other line.
fn anchor(line: &str) -> String {
    let Some((_, heading)) = line.strip_prefix('#').and_then(|line| line.split_once(' ')) else {
        return String::new();
    };
    let kept = heading
        .chars()
        .filter(|letter| letter.is_alphanumeric() || [' ', '-', '_'].contains(letter));
    kept.collect::<String>().to_lowercase().replace(' ', "-")
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "# A\n## What users notice\n## First look\n## Decide\n## Do\n## Afterwards\n";

    fn pages(index: &str) -> BTreeMap<String, String> {
        [(INDEX, index), ("a.md", PAGE), ("b.md", PAGE)]
            .map(|(name, text)| (name.to_owned(), text.to_owned()))
            .into()
    }

    fn index() -> BTreeMap<String, String> {
        pages("| `A`, `task-tracker-a` | [a.md](a.md) |\n| `B`, `task-tracker-b-fast` | [b.md](b.md) |\n")
    }

    #[test]
    fn what_is_in_the_repository_holds() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        assert_eq!(complaints(&root).unwrap(), [""; 0]);
        assert!(alarms(&root).unwrap().len() > 15);
    }

    #[test]
    fn an_alert_of_prometheus_has_its_page() {
        let of = |rules: &str| of_alarms(&of_prometheus(rules), &index());
        let good = "- alert: A\n  annotations:\n    runbook_url: runbooks/a.md\n";
        assert_eq!(of(good), [""; 0]);
        for (broken, expected) in [
            ("- alert: A\n", "`A` names no runbook"),
            (
                "- alert: A\n- alert: B\n  runbook_url: runbooks/b.md\n",
                "`A` names no runbook",
            ),
            ("- alert: C\n  runbook_url: runbooks/a.md\n", "the index lacks `C`"),
            (
                "- alert: A\n  runbook_url: runbooks/gone.md\n",
                "`A` names gone.md, which does not exist",
            ),
            (
                "- alert: A\n  runbook_url: runbooks/b.md\n",
                "`A` names b.md, and the index another page",
            ),
            ("- record: A\n", "no alarms were found"),
        ] {
            let said = of(broken);
            assert_eq!(said.len(), 1, "{broken}: {said:?}");
            assert!(said[0].contains(expected), "{broken}: {said:?}");
        }
    }

    #[test]
    fn an_alarm_of_terraform_has_its_page() {
        let of = |code: &str| of_alarms(&of_terraform(code), &index());
        let alarm = |name: &str, description: &str| {
            format!(
                "resource \"x\" \"y\" {{\n  alarm_name          = \"{name}\"\n  alarm_description   = \"{description}\"\n}}\n"
            )
        };
        assert_eq!(
            of(&alarm("${var.service_name}-a", "Too much. See ${var.runbooks}/a.md")),
            [""; 0]
        );
        assert_eq!(
            of(&alarm("${var.service_name}-b-${each.key}", "See ${var.runbooks}/b.md")),
            [""; 0]
        );
        for (broken, expected) in [
            (
                alarm("${var.service_name}-a", "Too much"),
                "`task-tracker-a` names no runbook",
            ),
            (
                alarm("${var.service_name}-a", "See ${var.runbooks}/gone.md"),
                "names gone.md, which does not exist",
            ),
            (
                alarm("${var.service_name}-c-${each.key}", "See ${var.runbooks}/a.md"),
                "the index lacks `task-tracker-c-`",
            ),
        ] {
            let said = of(&broken);
            assert_eq!(said.len(), 1, "{broken}: {said:?}");
            assert!(said[0].contains(expected), "{broken}: {said:?}");
        }
    }

    #[test]
    fn an_alarm_of_the_sandbox_stands_in_the_index() {
        let of = |stack: &str| of_alarms(&of_sandbox(stack), &index());
        let stack = "load_balancer:\n  - name: other\nalarms:\n  - name: task-tracker-a\n    metric: X\n";
        assert_eq!(of(stack), [""; 0]);
        assert_eq!(
            of("alarms:\n  - name: task-tracker-c\nbuckets:\n  - name: no\n"),
            ["infrastructure/sandbox: the index lacks `task-tracker-c`"]
        );
    }

    #[test]
    fn a_page_has_the_form_and_is_found() {
        assert_eq!(of_pages(&index()), [""; 0]);
        let broken = |text: &str| {
            let mut pages = index();
            pages.insert("a.md".to_owned(), text.to_owned());
            of_pages(&pages)
        };
        assert_eq!(
            broken(&PAGE.replace("## Decide\n", "")),
            ["a.md: lacks `## Decide`, or has it in another place"]
        );
        assert_eq!(
            broken("# A\n## Do\n## What users notice\n## First look\n## Decide\n## Afterwards\n"),
            ["a.md: lacks `## Do`, or has it in another place"]
        );
        assert_eq!(
            broken(&format!("{PAGE}{}", "\n".repeat(LINES))),
            ["a.md: more than 80 lines"]
        );
        assert_eq!(
            of_pages(&pages("[a.md](a.md)")),
            ["b.md: the index does not lead to it"]
        );
    }

    #[test]
    fn a_link_leads_somewhere() {
        let open = |path: &str| (path == "a.md").then(|| "## What you need, at hand\n".to_owned());
        let of = |text: &str| of_links(&pages(text), open);
        let good = "# Here\n[a](a.md) [b](a.md#what-you-need-at-hand) [c](#here) [e](https://example.com/a#b)";
        assert_eq!(of(good), [""; 0]);
        assert_eq!(
            of("[a](c.md) [b](../docs/gone.md#part) [c](a.md#gone) [d](#gone)"),
            ["c.md", "../docs/gone.md#part", "a.md#gone", "#gone"]
                .map(|link| format!("README.md: {link} leads nowhere"))
        );
    }
}
