//! The figures of a benchmark: `target/bench/deploy.json`, and the same as a table.

use std::fmt::Write;

use serde::Serialize;

use super::{
    rehearsal::{Comparison, Run},
    series::{Deploy, Series},
    tool,
};
use crate::{failure::Failure, machine::Machine};

#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Figures {
    pub(super) machine: Machine,
    pub(super) series: Series,
    pub(super) comparison: Comparison,
    pub(super) tool: tool::Figures,
}

impl Figures {
    /// Only what users would have noticed makes a benchmark fail.
    pub(super) fn nothing_failed(&self) -> Result<(), Failure> {
        let series = &self.series;
        if series.failed + series.lost_writes + series.not_sent + series.unverified_writes == 0 {
            return Ok(());
        }
        Err(Failure::Story(format!(
            "during the deploys in a row {} requests failed, {} could not be sent, {} writes were lost and {} could not be read back",
            series.failed, series.not_sent, series.lost_writes, series.unverified_writes
        )))
    }

    pub(super) fn table(&self) -> String {
        let Self {
            series,
            comparison,
            tool,
            ..
        } = self;
        let of_deploys = |figure: fn(&Deploy) -> f64| spread(series.deploys.iter().map(figure).collect());
        let counted = format!(
            "{} requests, {} failed, {} writes lost",
            series.requests, series.failed, series.lost_writes
        );
        let mut rows = vec![
            (
                format!(
                    "{} deploys in a row, {} requests/s",
                    series.deploys.len(),
                    series.requests_per_second
                ),
                counted,
                "",
            ),
            (
                "99 % answered within, ms".to_owned(),
                format!("{:.1}", series.p99_ms),
                "",
            ),
            (
                "wall time of a deploy, s".to_owned(),
                of_deploys(|deploy| deploy.wall_seconds),
                "",
            ),
            (
                "the platform's own time, s".to_owned(),
                of_deploys(|deploy| deploy.platform_seconds),
                "",
            ),
            (
                "wall / platform".to_owned(),
                of_deploys(Deploy::overhead),
                "at most 1.05",
            ),
            (
                "peak memory of a deploy, MB".to_owned(),
                of_deploys(|deploy| deploy.peak_memory_mb),
                "at most 60",
            ),
            (
                "rollback during the bake, s".to_owned(),
                spread(series.rollback_seconds.clone()),
                "at most 1",
            ),
            (
                "tt-ops --help, ms".to_owned(),
                format!("{:.1}", tool.help_ms),
                "at most 20",
            ),
        ];
        if let Some(size) = tool.release_binary_mb {
            rows.push((
                "release binary without the sandbox, MB".to_owned(),
                format!("{size:.1}"),
                "at most 30",
            ));
        }
        let mut text = String::from("\nFigures: the median (and between which), and what is wanted\n");
        for (what, figure, wanted) in rows {
            let _infallible = writeln!(text, "{}", format!("  {what:<40}{figure:<32}{wanted}").trim_end());
        }
        text.push_str(&calls(&series.deploys));
        let _infallible = write!(
            text,
            "\nNext to the script (until 10 s after its end)\n{}{}{}{}",
            side("tt-ops, good release", &comparison.tt_ops.good_release),
            side("script, good release", &comparison.script.good_release),
            side("tt-ops, bad release", &comparison.tt_ops.bad_release),
            side("script, bad release", &comparison.script.bad_release),
        );
        text
    }
}

fn side(name: &str, run: &Run) -> String {
    let exit = run.exit_code.map_or_else(|| "none".to_owned(), |code| code.to_string());
    format!(
        "  {name:<21} {:6.1} s   exit {exit:<4} {:6} of {} requests failed, users left on {}\n",
        run.seconds, run.failed, run.requests, run.left_on
    )
}

/// Of the median deploy by number of calls.
fn calls(deploys: &[Deploy]) -> String {
    let total = |deploy: &Deploy| deploy.api_calls.values().sum::<u64>();
    let mut by_calls: Vec<&Deploy> = deploys.iter().collect();
    by_calls.sort_by_key(|deploy| total(deploy));
    let Some(deploy) = by_calls.get(by_calls.len() / 2) else {
        return String::new();
    };
    // Most of them look how far ECS is, twenty times in one of its minutes but no more than ten times a second.
    let mut text = format!("  {:<40}{}\n", "API calls of a deploy", total(deploy));
    let mut operations: Vec<(&String, &u64)> = deploy.api_calls.iter().collect();
    operations.sort_by(|a, b| b.1.cmp(a.1).then(a.0.cmp(b.0)));
    for (operation, count) in operations {
        let _infallible = writeln!(text, "    {operation:<42}{count}");
    }
    text
}

/// "2.0 (1.0 to 3.0)": the median, and between which.
fn spread(mut figures: Vec<f64>) -> String {
    figures.sort_by(f64::total_cmp);
    match (figures.first(), figures.get(figures.len() / 2), figures.last()) {
        (Some(least), Some(median), Some(most)) => format!("{median:.3} ({least:.3} to {most:.3})"),
        _ => "not measured".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    fn figures() -> Figures {
        let deploy = |wall_seconds, calls| Deploy {
            wall_seconds,
            platform_seconds: 20.0,
            peak_memory_mb: 31.5,
            api_calls: [
                ("ecs:DescribeServiceDeployments".to_owned(), calls),
                ("sts:GetCallerIdentity".to_owned(), 1),
            ]
            .into(),
        };
        let run = |seconds, exit_code, failed, left_on: &str| Run {
            seconds,
            exit_code: Some(exit_code),
            requests: 20_000,
            failed,
            lost_writes: 0,
            left_on: left_on.to_owned(),
        };
        Figures {
            machine: Machine {
                cores: 2,
                processor: "A 9".to_owned(),
                kernel: "6.1".to_owned(),
                memory_mb: 8_000,
            },
            series: Series {
                requests_per_second: 500,
                requests: 300_000,
                failed: 0,
                not_sent: 0,
                lost_writes: 0,
                unverified_writes: 0,
                p99_ms: 7.25,
                deploys: vec![deploy(21.0, 40), deploy(20.5, 50), deploy(22.0, 60)],
                rollback_seconds: vec![0.3, 0.2],
            },
            comparison: Comparison {
                tt_ops: super::super::rehearsal::Side {
                    good_release: run(21.0, 0, 0, "tool-good"),
                    bad_release: run(9.0, 6, 30, "tool-good"),
                },
                script: super::super::rehearsal::Side {
                    good_release: run(40.0, 0, 0, "script-good"),
                    bad_release: run(40.0, 0, 4_000, "script-bad"),
                },
            },
            tool: tool::Figures {
                help_ms: 4.5,
                release_binary_mb: None,
            },
        }
    }

    #[test]
    fn the_table_has_every_figure_and_what_is_wanted() {
        expect![[r"

            Figures: the median (and between which), and what is wanted
              3 deploys in a row, 500 requests/s      300000 requests, 0 failed, 0 writes lost
              99 % answered within, ms                7.2
              wall time of a deploy, s                21.000 (20.500 to 22.000)
              the platform's own time, s              20.000 (20.000 to 20.000)
              wall / platform                         1.050 (1.025 to 1.100)          at most 1.05
              peak memory of a deploy, MB             31.500 (31.500 to 31.500)       at most 60
              rollback during the bake, s             0.300 (0.200 to 0.300)          at most 1
              tt-ops --help, ms                       4.5                             at most 20
              API calls of a deploy                   51
                ecs:DescribeServiceDeployments            50
                sts:GetCallerIdentity                     1

            Next to the script (until 10 s after its end)
              tt-ops, good release    21.0 s   exit 0         0 of 20000 requests failed, users left on tool-good
              script, good release    40.0 s   exit 0         0 of 20000 requests failed, users left on script-good
              tt-ops, bad release      9.0 s   exit 6        30 of 20000 requests failed, users left on tool-good
              script, bad release     40.0 s   exit 0      4000 of 20000 requests failed, users left on script-bad
        "]]
        .assert_eq(&figures().table());
    }

    #[test]
    fn a_failed_request_fails_the_benchmark_and_a_slow_one_does_not() {
        figures().nothing_failed().unwrap();
        let mut lossy = figures();
        lossy.series.lost_writes = 1;
        assert!(
            lossy
                .nothing_failed()
                .unwrap_err()
                .to_string()
                .contains("1 writes were lost")
        );
    }
}
