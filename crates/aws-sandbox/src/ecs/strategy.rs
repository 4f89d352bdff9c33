//! From a service's deployment configuration to the plan of one deployment, refusing what AWS refuses.
//!
//! Ranges and defaults: Amazon ECS API Reference, `DeploymentConfiguration`, `LinearConfiguration`,
//! `CanaryConfiguration`, `DeploymentLifecycleHook` and `DeploymentCircuitBreaker`.

use aws_sdk_ecs::types::{
    CanaryConfiguration, DeploymentAlarms, DeploymentCircuitBreaker, DeploymentConfiguration,
    DeploymentEarlySuccessCriteria, DeploymentLifecycleHook, DeploymentLifecycleHookAction,
    DeploymentLifecycleHookTargetType, DeploymentLifecycleHookTimeoutConfiguration, DeploymentStrategy,
    LinearConfiguration,
};

use super::error::EcsError;
use super::rollout::{
    AlarmWatch, Breaker, HookAction, OnFailure, PauseHook, Plan, SourceScale, Stage, Strategy, Threshold,
};
use crate::clock::Clock;

/// What a plan needs beside the configuration.
pub(crate) struct Circumstances {
    pub(crate) deployment_id: String,
    pub(crate) source: SourceScale,
    /// Alarms that are in ALARM as the deployment starts.
    pub(crate) firing: Vec<String>,
    pub(crate) clock: Clock,
}

/// How a deployment with this configuration goes.
pub(crate) fn plan(configuration: &DeploymentConfiguration, circumstances: Circumstances) -> Result<Plan, EcsError> {
    let Circumstances {
        deployment_id,
        source,
        firing,
        clock,
    } = circumstances;
    if configuration
        .early_success_criteria()
        .is_some_and(DeploymentEarlySuccessCriteria::enable)
    {
        return Err(EcsError::unsupported("The sandbox has no early success criteria."));
    }
    let bake = within(
        "bakeTimeInMinutes",
        configuration.bake_time_in_minutes().unwrap_or(0),
        0,
        1440,
    )?;
    Ok(Plan {
        deployment_id,
        strategy: strategy(configuration, clock)?,
        pauses: configuration
            .lifecycle_hooks()
            .iter()
            .map(|hook| pause(hook, clock))
            .collect::<Result<_, _>>()?,
        bake: clock.minutes(f64::from(bake)),
        breaker: configuration
            .deployment_circuit_breaker()
            .map_or(Ok(Breaker::Off), breaker)?,
        alarms: configuration
            .alarms()
            .map_or(AlarmWatch::Off, |alarms| watch(alarms, firing)),
        source,
    })
}

/// What a first deployment does: there is no old revision to compare with, so nothing is held and nothing baked.
pub(crate) fn first(plan: Plan) -> Plan {
    let strategy = match plan.strategy {
        Strategy::Rolling(limits) => Strategy::Rolling(limits),
        Strategy::Shifting { .. } => Strategy::all_at_once(),
    };
    Plan {
        strategy,
        pauses: Vec::new(),
        bake: std::time::Duration::ZERO,
        ..plan
    }
}

/// Whether deployments shift traffic between two target groups.
pub(crate) fn shifts_traffic(configuration: &DeploymentConfiguration) -> bool {
    !matches!(configuration.strategy(), None | Some(DeploymentStrategy::Rolling))
}

/// The configuration after an update: what the caller leaves out stays.
pub(crate) fn merged(old: &DeploymentConfiguration, new: Option<DeploymentConfiguration>) -> DeploymentConfiguration {
    let (old, new) = (
        old.clone(),
        new.unwrap_or_else(|| DeploymentConfiguration::builder().build()),
    );
    DeploymentConfiguration::builder()
        .set_deployment_circuit_breaker(new.deployment_circuit_breaker.or(old.deployment_circuit_breaker))
        .set_maximum_percent(new.maximum_percent.or(old.maximum_percent).or(Some(200)))
        .set_minimum_healthy_percent(
            new.minimum_healthy_percent
                .or(old.minimum_healthy_percent)
                .or(Some(100)),
        )
        .set_alarms(new.alarms.or(old.alarms))
        .set_strategy(new.strategy.or(old.strategy).or(Some(DeploymentStrategy::Rolling)))
        .set_bake_time_in_minutes(new.bake_time_in_minutes.or(old.bake_time_in_minutes))
        .set_lifecycle_hooks(new.lifecycle_hooks.or(old.lifecycle_hooks))
        .set_linear_configuration(new.linear_configuration.or(old.linear_configuration))
        .set_canary_configuration(new.canary_configuration.or(old.canary_configuration))
        .set_early_success_criteria(new.early_success_criteria.or(old.early_success_criteria))
        .build()
}

fn strategy(configuration: &DeploymentConfiguration, clock: Clock) -> Result<Strategy, EcsError> {
    match configuration.strategy().map(DeploymentStrategy::as_str) {
        None | Some("ROLLING") => {
            let minimum = within(
                "minimumHealthyPercent",
                configuration.minimum_healthy_percent().unwrap_or(100),
                0,
                100,
            )?;
            let maximum = within(
                "maximumPercent",
                configuration.maximum_percent().unwrap_or(200),
                100,
                200,
            )?;
            Ok(Strategy::rolling(minimum, maximum))
        }
        Some("BLUE_GREEN") => Ok(Strategy::all_at_once()),
        Some("CANARY") => {
            let canary = configuration.canary_configuration();
            let percent = canary.and_then(CanaryConfiguration::canary_percent).unwrap_or(5.0);
            let bake = canary
                .and_then(CanaryConfiguration::canary_bake_time_in_minutes)
                .unwrap_or(10);
            let bake = within("canaryBakeTimeInMinutes", bake, 0, 1440)?;
            Ok(Strategy::canary(
                percentage("canaryPercent", percent, 0.1)?,
                clock.minutes(f64::from(bake)),
            ))
        }
        Some("LINEAR") => {
            let linear = configuration.linear_configuration();
            let percent = linear.and_then(LinearConfiguration::step_percent).unwrap_or(10.0);
            let bake = linear
                .and_then(LinearConfiguration::step_bake_time_in_minutes)
                .unwrap_or(6);
            let bake = within("stepBakeTimeInMinutes", bake, 0, 1440)?;
            Ok(Strategy::linear(
                percentage("stepPercent", percent, 3.0)?,
                clock.minutes(f64::from(bake)),
            ))
        }
        Some(other) => Err(EcsError::invalid(format!("{other} is not a deployment strategy."))),
    }
}

fn pause(hook: &DeploymentLifecycleHook, clock: Clock) -> Result<PauseHook, EcsError> {
    match hook.target_type().map(DeploymentLifecycleHookTargetType::as_str) {
        Some("PAUSE") => {}
        Some("AWS_LAMBDA") | None => {
            return Err(EcsError::unsupported(
                "The sandbox has no AWS Lambda; a lifecycle hook has the targetType PAUSE.",
            ));
        }
        Some(other) => {
            return Err(EcsError::invalid(format!(
                "{other} is not a lifecycle hook target type."
            )));
        }
    }
    if hook.lifecycle_stages().is_empty() {
        return Err(EcsError::missing("lifecycleStages"));
    }
    let stages = hook
        .lifecycle_stages()
        .iter()
        .map(|stage| pausable(stage.as_str()))
        .collect::<Result<_, _>>()?;
    let timeout = hook.timeout_configuration();
    let minutes = timeout
        .and_then(DeploymentLifecycleHookTimeoutConfiguration::timeout_in_minutes)
        .unwrap_or(1440);
    let minutes = within("timeoutInMinutes", minutes, 1, 20160)?;
    let on_timeout = timeout
        .and_then(DeploymentLifecycleHookTimeoutConfiguration::action)
        .map_or(Ok(HookAction::Rollback), action)?;
    Ok(PauseHook {
        stages,
        timeout: clock.minutes(f64::from(minutes)),
        on_timeout,
    })
}

fn pausable(stage: &str) -> Result<Stage, EcsError> {
    Stage::parse(stage)
        .filter(|stage| stage.takes_pauses())
        .ok_or_else(|| EcsError::invalid(format!("A PAUSE lifecycle hook cannot be configured at {stage}.")))
}

/// The answer to a pause.
pub(crate) fn action(action: &DeploymentLifecycleHookAction) -> Result<HookAction, EcsError> {
    match action.as_str() {
        "CONTINUE" => Ok(HookAction::Continue),
        "ROLLBACK" => Ok(HookAction::Rollback),
        other => Err(EcsError::invalid(format!(
            "{other} is not an action: use CONTINUE or ROLLBACK."
        ))),
    }
}

fn breaker(breaker: &DeploymentCircuitBreaker) -> Result<Breaker, EcsError> {
    if !breaker.enable() {
        return Ok(Breaker::Off);
    }
    let threshold = match breaker.threshold_configuration() {
        None => Threshold::DEFAULT,
        Some(configured) => {
            let value = within("threshold value", configured.value(), 1, 1000)?;
            match configured.r#type().as_str() {
                "COUNT" => Threshold::Count(value),
                "BOUNDED_PERCENT" => Threshold::BoundedPercent(value),
                "UNBOUNDED_PERCENT" => Threshold::UnboundedPercent(value),
                other => return Err(EcsError::invalid(format!("{other} is not a threshold type."))),
            }
        }
    };
    let reset_on_healthy = breaker.reset_on_healthy_task().unwrap_or(true);
    Ok(Breaker::On {
        threshold,
        then: on_failure(breaker.rollback()),
        reset_on_healthy,
    })
}

fn watch(alarms: &DeploymentAlarms, ignored: Vec<String>) -> AlarmWatch {
    if alarms.enable() {
        AlarmWatch::On {
            names: alarms.alarm_names().to_vec(),
            ignored,
            then: on_failure(alarms.rollback()),
        }
    } else {
        AlarmWatch::Off
    }
}

fn on_failure(rollback: bool) -> OnFailure {
    if rollback { OnFailure::RollBack } else { OnFailure::Stop }
}

fn within(field: &str, value: i32, least: i32, most: i32) -> Result<u32, EcsError> {
    u32::try_from(value)
        .ok()
        .filter(|_| (least..=most).contains(&value))
        .ok_or_else(|| EcsError::invalid(format!("{field} must be between {least} and {most}, but is {value}.")))
}

fn percentage(field: &str, value: f64, least: f64) -> Result<f64, EcsError> {
    if (least..=100.0).contains(&value) {
        Ok(value)
    } else {
        Err(EcsError::invalid(format!(
            "{field} must be between {least} and 100, but is {value}."
        )))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use aws_sdk_ecs::types::DeploymentLifecycleHookStage;

    use super::*;

    fn check(configuration: &DeploymentConfiguration) -> Result<Plan, EcsError> {
        let clock = Clock::new(Duration::from_secs(1));
        plan(
            configuration,
            Circumstances {
                deployment_id: "d".to_owned(),
                source: SourceScale::Desired,
                firing: Vec::new(),
                clock,
            },
        )
    }

    #[test]
    fn minutes_become_the_sandbox_s_minutes() {
        let canary = CanaryConfiguration::builder()
            .canary_percent(10.0)
            .canary_bake_time_in_minutes(2)
            .build();
        let configuration = DeploymentConfiguration::builder()
            .strategy(DeploymentStrategy::Canary)
            .canary_configuration(canary)
            .bake_time_in_minutes(10)
            .build();
        let plan = check(&configuration).unwrap();
        assert_eq!(plan.strategy, Strategy::canary(10.0, Duration::from_secs(2)));
        assert_eq!(plan.bake, Duration::from_secs(10));
    }

    #[test]
    fn what_aws_refuses_is_refused() {
        let linear = LinearConfiguration::builder().step_percent(1.0).build();
        let small = DeploymentConfiguration::builder()
            .strategy(DeploymentStrategy::Linear)
            .linear_configuration(linear)
            .build();
        assert_eq!(
            check(&small).unwrap_err().message,
            "stepPercent must be between 3 and 100, but is 1."
        );
        let long = DeploymentConfiguration::builder().bake_time_in_minutes(1441).build();
        assert_eq!(check(&long).unwrap_err().code, "InvalidParameterException");
        let hook = DeploymentLifecycleHook::builder()
            .target_type(DeploymentLifecycleHookTargetType::Pause)
            .lifecycle_stages(DeploymentLifecycleHookStage::ProductionTrafficShift)
            .build();
        let paused = DeploymentConfiguration::builder().lifecycle_hooks(hook).build();
        assert_eq!(
            check(&paused).unwrap_err().message,
            "A PAUSE lifecycle hook cannot be configured at PRODUCTION_TRAFFIC_SHIFT."
        );
    }
}
