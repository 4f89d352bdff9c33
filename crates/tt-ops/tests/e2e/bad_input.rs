//! Everything that is refused before anything is changed: the words, the exit code, and the untouched service.

use std::fs;

use serde_json::json;

use crate::harness::{Program, Rehearsal, element, elements, eventually};

/// One wrong thing: an environment with a mistake in it, what is run, and what must be said.
struct Case {
    name: &'static str,
    changes: &'static [(&'static str, &'static str)],
    words: &'static str,
    code: i32,
    said: &'static [&'static str],
}

const CASES: &[Case] = &[
    Case {
        name: "foreign",
        changes: &[("\"000000000000\"", "\"111111111111\"")],
        words: "deploy foreign --image 1.1.0",
        code: 4,
        said: &[
            "the credentials belong to account 000000000000, the environment names account 111111111111",
            "AWS_PROFILE",
        ],
    },
    Case {
        name: "homeless",
        changes: &[("  cluster: task-tracker", "  cluster: nowhere")],
        words: "deploy homeless --image 1.1.0",
        code: 1,
        said: &[
            "`task-tracker` in cluster `nowhere`",
            "no cluster `nowhere` in eu-central-1",
            "service.cluster",
        ],
    },
    Case {
        name: "nameless",
        changes: &[("  name: task-tracker", "  name: nobody")],
        words: "deploy nameless --image 1.1.0",
        code: 1,
        said: &[
            "describe service `nobody` in cluster `task-tracker`",
            "the cluster has no such service",
            "correct `service.name` in",
        ],
    },
    Case {
        name: "boxless",
        changes: &[("  container: app", "  container: sidecar")],
        words: "deploy boxless --image 1.1.0",
        code: 1,
        said: &[
            "container `sidecar`",
            "its containers are: app",
            "correct `service.container`",
        ],
    },
    Case {
        name: "local",
        changes: &[],
        words: "deploy local --image 9.9.9",
        code: 1,
        said: &["task-tracker:9.9.9", "the registry has no such image", "push it first"],
    },
    Case {
        name: "local",
        changes: &[],
        words: "deploy local --image sha256:0000000000000000000000000000000000000000000000000000000000000000",
        code: 1,
        said: &["the registry has no such image"],
    },
    Case {
        name: "local",
        changes: &[],
        words: "deploy local --image registry.example.com/other/service:1.0.0",
        code: 1,
        said: &[
            "environment `local` deploys images of 127.",
            "or change `image.repository`",
        ],
    },
    Case {
        name: "pinned",
        changes: &[("require_digest: false", "require_digest: true")],
        words: "deploy pinned --image 1.1.0",
        code: 4,
        said: &[
            "task-tracker:1.1.0` was given by tag, this environment takes digests only",
            "REPOSITORY@sha256:",
        ],
    },
    Case {
        name: "unwatched",
        changes: &[("[task-tracker-errors]", "[nobody-set-it-up]")],
        words: "deploy unwatched --image 1.1.0",
        code: 4,
        said: &["alarm `nobody-set-it-up` does not exist", "take it out of `alarms`"],
    },
    Case {
        name: "ringing",
        changes: &[("[task-tracker-errors]", "[always]")],
        words: "deploy ringing --image 1.1.0",
        code: 4,
        said: &["alarm `always` is already firing: ", "make it quiet first"],
    },
    Case {
        name: "frozen",
        changes: &[(
            "lock: {ttl: 6s}",
            "lock: {ttl: 6s}\nfreeze: [{from: 2026-01-01T00:00:00Z, until: 2999-01-01T00:00:00Z, reason: stock-taking}]",
        )],
        words: "deploy frozen --image 1.1.0",
        code: 4,
        said: &[
            "deploys are frozen until 2999-01-01",
            "stock-taking",
            "`rollback` is never frozen",
        ],
    },
    Case {
        name: "secretive",
        changes: &[("secret: task-tracker/database-url", "secret: task-tracker/nothing")],
        words: "deploy secretive --image 1.1.0",
        code: 4,
        said: &[
            "secret `task-tracker/nothing` does not exist",
            "correct `secrets` in the environment file",
        ],
    },
    Case {
        name: "bucketless",
        changes: &[("bucket: tt-ops-local", "bucket: tt-ops-nowhere")],
        words: "deploy bucketless --image 1.1.0",
        code: 1,
        said: &["bucket `tt-ops-nowhere`", "NoSuchBucket"],
    },
    // Everything that is wrong is said at once.
    Case {
        name: "hopeless",
        changes: &[
            ("\"000000000000\"", "\"111111111111\""),
            ("[task-tracker-errors]", "[nobody-set-it-up]"),
            ("secret: task-tracker/database-url", "secret: task-tracker/nothing"),
        ],
        words: "deploy hopeless --image 1.1.0",
        code: 4,
        said: &[
            "names account 111111111111",
            "alarm `nobody-set-it-up`",
            "secret `task-tracker/nothing`",
        ],
    },
];

#[test]
fn whatever_is_wrong_is_refused_before_anything_is_changed() {
    let rehearsal = Rehearsal::serving("1.0.0");
    let digest = rehearsal.push(Program::TaskTracker, "1.1.0");
    let before = rehearsal.status();
    an_alarm_that_always_fires(&rehearsal);

    for case in CASES {
        rehearsal.environment(case.name, case.changes);
        refuses(&rehearsal, case.words, case.code, case.said);
        // `diff` and `verify` find the same, and a program is told the same.
        let json = rehearsal
            .tt(&format!("{} --output json", case.words))
            .exits(case.code)
            .json();
        let last = json.last().unwrap();
        assert_eq!(
            (&last["event"], &last["exit_code"]),
            (&json!("failed"), &json!(case.code)),
            "{last}"
        );
    }
    // A digest is all that `pinned` asks for.
    rehearsal.tt(&format!("deploy pinned --image {digest} --plan")).exits(0);
    // A way back is never frozen.
    rehearsal
        .tt("rollback frozen")
        .exits(4)
        .complains("no earlier release is on record")
        .never_prints("frozen until");

    credentials(&rehearsal);
    a_sticky_listener(&rehearsal);

    assert_eq!(rehearsal.status()["task_definition"], before["task_definition"]);
    assert_eq!(rehearsal.status()["in_flight"], before["in_flight"]);
    assert_eq!(rehearsal.answering(), "1.0.0");
    assert_eq!(rehearsal.history().len(), 1, "a refusal is no deploy");
}

fn credentials(rehearsal: &Rehearsal) {
    rehearsal.fault(&json!({ "on": "*", "effect": { "expired_token": true } }));
    refuses(
        rehearsal,
        "deploy local --image 1.1.0",
        1,
        &["ExpiredToken", "renew the credentials"],
    );
    rehearsal.no_faults();

    rehearsal.environment("anonymous", &[("  credentials: sandbox\n", "")]);
    // The instance metadata service would be asked last, and on a laptop nobody answers.
    let alone = rehearsal
        .invocation("deploy anonymous --image 1.1.0")
        .variable("AWS_EC2_METADATA_DISABLED", "true");
    alone
        .run()
        .exits(1)
        .complains("credentials")
        .complains("set AWS_PROFILE")
        .never_prints("panicked");
}

fn a_sticky_listener(rehearsal: &Rehearsal) {
    let balancers = rehearsal.aws(
        "elasticloadbalancing",
        "Action=DescribeLoadBalancers&Version=2015-12-01",
    );
    let balancer = element(&balancers, "LoadBalancerArn");
    let listeners = rehearsal.aws(
        "elasticloadbalancing",
        &format!("Action=DescribeListeners&Version=2015-12-01&LoadBalancerArn={balancer}"),
    );
    let listener = element(&listeners, "ListenerArn");
    // Its groups keep their weights: users are not what is tried out here.
    let live = element(&listeners, "ForwardConfig");
    let weighted: Vec<String> = elements(&live, "TargetGroupArn")
        .zip(elements(&live, "Weight"))
        .zip(1..)
        .map(|((group, weight), number)| {
            let tuple = format!("&DefaultActions.member.1.ForwardConfig.TargetGroups.member.{number}");
            format!("{tuple}.TargetGroupArn={group}{tuple}.Weight={weight}")
        })
        .collect();
    let weighted = weighted.concat();
    let stick = |enabled: bool| {
        let sticky = "&DefaultActions.member.1.ForwardConfig.TargetGroupStickinessConfig";
        rehearsal.aws(
            "elasticloadbalancing",
            &format!(
                "Action=ModifyListener&Version=2015-12-01&ListenerArn={listener}&DefaultActions.member.1.Type=forward{weighted}\
                 {sticky}.Enabled={enabled}{sticky}.DurationSeconds=60"
            ),
        );
    };
    stick(true);
    refuses(
        rehearsal,
        "deploy local --image 1.1.0",
        4,
        &["is sticky", "switch off target group stickiness"],
    );
    rehearsal.tt("verify local").exits(4).prints("NO  stickiness");
    stick(false);
    rehearsal.tt("verify local").exits(0);
}

/// An alarm that takes silence for trouble fires as soon as it is evaluated.
fn an_alarm_that_always_fires(rehearsal: &Rehearsal) {
    rehearsal.aws(
        "monitoring",
        "Action=PutMetricAlarm&Version=2010-08-01&AlarmName=always&Namespace=Nobody&MetricName=Nothing&Statistic=Sum&Period=10\
         &EvaluationPeriods=1&Threshold=0&ComparisonOperator=GreaterThanThreshold&TreatMissingData=breaching",
    );
    eventually("the alarm fires", || {
        let alarms = rehearsal.aws(
            "monitoring",
            "Action=DescribeAlarms&Version=2010-08-01&AlarmNames.member.1=always",
        );
        (element(&alarms, "StateValue") == "ALARM").then_some(())
    });
}

/// The words, the code, and not one call that changes anything.
#[track_caller]
fn refuses(rehearsal: &Rehearsal, words: &str, code: i32, said: &[&str]) {
    rehearsal.forget_calls();
    let ended = rehearsal
        .tt(words)
        .exits(code)
        .complains("error: ")
        .never_prints("panicked");
    said.iter().fold(ended, |ended, text| ended.complains(text));
    let changing = [
        "Update", "Register", "Run", "Put", "Stop", "Continue", "Modify", "Create", "Delete", "Set",
    ];
    let calls = rehearsal.calls();
    let changed: Vec<_> = calls
        .keys()
        .filter(|call| changing.iter().any(|verb| call.contains(&format!(":{verb}"))))
        .collect();
    assert!(changed.is_empty(), "`{words}` was refused and still called {changed:?}");
}

#[test]
fn environment_files_are_refused_with_the_place_of_the_mistake() {
    let rehearsal = Rehearsal::prepared();
    rehearsal.environment("staging", &[]);
    let unknown = rehearsal.tt("deploy stagging --image 1.0.0").exits(2);
    unknown
        .complains("there is no environment `stagging`")
        .complains("known: local, staging")
        .complains("did you mean `staging`?");

    rehearsal.environment(
        "typo",
        &[
            ("  minimum_tasks: 2", "  minimum_task: 2"),
            ("percent: 10", "percent: 140"),
        ],
    );
    let place = format!("{}:12:3: ", rehearsal.file("typo").display());
    let refused = rehearsal.tt("env check typo").exits(2);
    refused
        .complains(&place)
        .complains("unknown key `service.minimum_task`")
        .complains("did you mean `minimum_tasks`?");

    rehearsal.environment("unset", &[("bucket: tt-ops-local", "bucket: \"${TT_BUCKET}\"")]);
    rehearsal
        .tt("status unset")
        .exits(2)
        .complains("needs the environment variable TT_BUCKET, which is not set");

    rehearsal.environment(
        "leaky",
        &[("{secret: task-tracker/database-url}", "postgres://app:hunter2@db/app")],
    );
    rehearsal
        .tt("env check leaky")
        .exits(2)
        .complains("must name a secret, not hold one")
        .never_prints("hunter2");

    // All files are read, so that one mistake does not hide the next.
    let all = rehearsal.tt("env check").exits(2);
    all.prints("local.yaml")
        .complains("typo.yaml")
        .complains("unset.yaml")
        .complains("leaky.yaml");
    rehearsal.tt("env check local").exits(0);
}

#[test]
fn a_sandbox_that_does_not_run_is_said_with_the_command_that_starts_it() {
    let rehearsal = Rehearsal::prepared();
    for words in [
        "deploy local --image 1.0.0",
        "rollback local",
        "status local",
        "history local",
        "verify local",
    ] {
        let refused = rehearsal.tt(words).exits(1);
        refused
            .complains("Connection refused")
            .complains("start the sandbox with `tt-ops sandbox up local`");
    }
    rehearsal.environment("real", &[("sandbox: {", "# sandbox: {")]);
    rehearsal
        .tt("sandbox up real")
        .exits(4)
        .complains("environment `real` has no sandbox");
    assert!(fs::metadata(rehearsal.state()).is_err(), "nothing was started");
}
