//! The rules between load balancers, groups, listeners and rules, as AWS enforces them.

use super::*;
use crate::elb::ElbError;
use crate::elb::arn::Place;

fn place() -> Place {
    Place {
        region: String::from("eu-central-1"),
        account: String::from("000000000000"),
    }
}

fn spec(name: &str) -> TargetGroupSpec {
    TargetGroupSpec {
        name: name.to_owned(),
        port: 8080,
        health_check: HealthCheck::default(),
        deregistration_delay: Duration::from_secs(2),
    }
}

fn group(model: &mut Model, name: &str) -> String {
    model.create_group(&place(), spec(name), None, Tags::new()).unwrap()
}

fn balancer(model: &mut Model, name: &str) -> String {
    model
        .create_load_balancer(&place(), name, LoadBalancerSpec::default(), Tags::new())
        .unwrap()
}

/// A load balancer with a listener that forwards everything to `blue`, and an unused group `green`.
fn front() -> (Model, String, String, String) {
    let mut model = Model::default();
    let (blue, green) = (group(&mut model, "blue"), group(&mut model, "green"));
    let balancer = balancer(&mut model, "front");
    let listener = model
        .create_listener(&balancer, 80, Action::forward(&[(blue.clone(), 1)]), Tags::new())
        .unwrap();
    (model, listener, blue, green)
}

#[test]
fn creating_the_same_twice_changes_nothing() {
    let (mut model, listener, blue, _) = front();
    assert_eq!(group(&mut model, "blue"), blue);
    let front = balancer(&mut model, "front");
    let again = model.create_listener(&front, 80, Action::forward(&[(blue.clone(), 1)]), Tags::new());
    assert_eq!(again.unwrap(), listener);
    let other = model.create_listener(&front, 80, Action::forward(&[(blue, 2)]), Tags::new());
    assert!(matches!(other, Err(ElbError::DuplicateListener(80))));
    let mut changed = spec("blue");
    changed.port = 9;
    let changed = model.create_group(&place(), changed, None, Tags::new());
    assert!(matches!(changed, Err(ElbError::DuplicateTargetGroupName(_))));
}

#[test]
fn a_new_group_has_the_delay_asked_for_and_is_not_sticky() {
    let (model, _, blue, _) = front();
    let group = model.group(&blue).unwrap();
    assert_eq!(group.attributes.get("stickiness.enabled").unwrap(), "false");
    assert_eq!(group.attributes.get(DEREGISTRATION_DELAY).unwrap(), "2");
    assert_eq!(group.deregistration_delay(), Duration::from_secs(2));
}

#[test]
fn weights_change_on_a_listeners_default_rule_but_within_aws_s_range() {
    let (mut model, listener, blue, green) = front();
    let rule = model.default_rule(&listener).unwrap().arn.clone();
    model
        .set_forward(&rule, &[(blue.clone(), 90), (green.clone(), 10)])
        .unwrap();
    assert_eq!(
        model.rule(&rule).unwrap().action.groups(),
        [(blue.clone(), 90), (green, 10)]
    );
    assert!(matches!(
        model.set_forward(&rule, &[(blue, 1000)]),
        Err(ElbError::Validation(_))
    ));
    assert!(matches!(model.set_forward(&rule, &[]), Err(ElbError::Validation(_))));
    let unknown = model.set_forward(&rule, &[(String::from("arn:none"), 1)]);
    assert!(matches!(unknown, Err(ElbError::TargetGroupNotFound(_))));
    assert!(matches!(
        model.delete_rule(&rule),
        Err(ElbError::OperationNotPermitted(_))
    ));
}

#[test]
fn a_group_belongs_to_one_load_balancer_and_cannot_go_while_in_use() {
    let (mut model, _, blue, green) = front();
    let other = balancer(&mut model, "other");
    let refused = model.create_listener(&other, 81, Action::forward(&[(blue.clone(), 1)]), Tags::new());
    assert!(matches!(refused, Err(ElbError::TargetGroupAssociationLimit(_))));
    assert!(matches!(model.delete_group(&blue), Err(ElbError::ResourceInUse(_))));
    model.delete_group(&green).unwrap();
    let front = model.load_balancer_named("eu-central-1", "front").unwrap().arn.clone();
    model.delete_load_balancer(&front).unwrap();
    assert!(model.listeners.is_empty() && model.rules.is_empty());
    model.delete_group(&blue).unwrap();
}

#[test]
fn priorities_are_unique_and_can_be_swapped() {
    let (mut model, listener, blue, _) = front();
    let action = || Action::forward(&[(blue.clone(), 1)]);
    let first = model
        .create_rule(&listener, 1, Vec::new(), action(), Tags::new())
        .unwrap();
    let second = model
        .create_rule(&listener, 2, Vec::new(), action(), Tags::new())
        .unwrap();
    let taken = model.create_rule(&listener, 2, Vec::new(), action(), Tags::new());
    assert!(matches!(taken, Err(ElbError::PriorityInUse(2))));
    model
        .set_priorities(&[(first.clone(), 2), (second.clone(), 1)])
        .unwrap();
    let order: Vec<_> = model
        .rules_of(&listener)
        .into_iter()
        .map(|rule| rule.arn.clone())
        .collect();
    assert_eq!(order[..2], [second.clone(), first.clone()]);
    assert!(matches!(
        model.set_priorities(&[(first.clone(), 1)]),
        Err(ElbError::PriorityInUse(1))
    ));
    assert!(matches!(
        model.set_priorities(&[(first, 7), (second, 7)]),
        Err(ElbError::PriorityInUse(7))
    ));
}

#[test]
fn a_deregistered_target_drains_and_is_then_forgotten() {
    let (mut model, _, blue, green) = front();
    let target = Target {
        ip: Ipv4Addr::new(127, 9, 1, 1),
        port: 8080,
    };
    let now = crate::clock::now();
    for group in [&blue, &green] {
        model.register(group, target).unwrap();
    }
    let until = model.deregister(&blue, target, now).unwrap().unwrap();
    assert_eq!(until, now + Duration::from_secs(2));
    assert_eq!(
        model.deregister(&green, target, now).unwrap(),
        Some(now),
        "nobody sends requests to green"
    );
    model.forget_drained(now);
    assert_eq!(
        model.group(&blue).unwrap().registration(target),
        Some(Registration::Draining { until })
    );
    assert_eq!(model.group(&green).unwrap().registration(target), None);
    model.register(&blue, target).unwrap();
    assert_eq!(
        model.group(&blue).unwrap().registration(target),
        Some(Registration::Registered)
    );
    assert_eq!(model.deregister(&green, target, now).unwrap(), None);
}

#[test]
fn names_are_as_aws_allows() {
    for wrong in ["", "a_b", "-a", "a-", &"x".repeat(33)] {
        let refused = Model::default().create_group(&place(), spec(wrong), None, Tags::new());
        assert!(matches!(refused, Err(ElbError::Validation(_))), "{wrong}");
    }
}

#[test]
fn the_model_survives_its_own_file() {
    let (mut model, listener, blue, _) = front();
    let target = Target {
        ip: Ipv4Addr::new(127, 9, 1, 1),
        port: 8080,
    };
    model.register(&blue, target).unwrap();
    let text = serde_json::to_string(&model).unwrap();
    let again: Model = serde_json::from_str(&text).unwrap();
    assert_eq!(
        again.group(&blue).unwrap().registration(target),
        Some(Registration::Registered)
    );
    assert_eq!(
        again.default_rule(&listener).unwrap().action,
        model.default_rule(&listener).unwrap().action
    );
}
