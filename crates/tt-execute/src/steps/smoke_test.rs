//! Asks the new tasks through the test listener while no user reaches them.

use tt_environment::SmokeRequest;
use tt_plan::{LifecycleStage, Pause};

use crate::{
    event::{Event, Holdup},
    executor::Executor,
    halt::Halt,
    ports::{Answer, Clock, Cloud, Journal, Probe},
    run::Run,
    wait::with_cause,
};

impl<W: Cloud, J: Journal, P: Probe, K: Clock> Executor<'_, W, J, P, K> {
    pub(crate) async fn smoke_test(&self, run: &mut Run<'_>) -> Result<(), Halt> {
        let limit = self.at_most(30);
        let held = self
            .follow(
                run,
                limit,
                |progress| Holdup::Stage {
                    now: progress.deployment.stage,
                },
                |progress| {
                    // Past the test stages nothing waits for us any more: an earlier run gave the answer.
                    let past = progress.deployment.stage > Some(LifecycleStage::PostTestTrafficShift);
                    let pause = progress
                        .deployment
                        .pause
                        .clone()
                        .filter(|pause| pause.stage == LifecycleStage::PostTestTrafficShift);
                    if past { Some(None) } else { pause.map(Some) }
                },
            )
            .await;
        match held {
            Ok(None) => Ok(()),
            Ok(Some(pause)) => self.ask(run, &pause).await,
            Err(detour) => Err(self.detoured(run, detour, "starting healthy tasks", limit).await),
        }
    }

    async fn ask(&self, run: &mut Run<'_>, pause: &Pause) -> Result<(), Halt> {
        let Some(base) = self.smoke_base().await? else {
            return Err(self
                .taken_back(run, "there is no test listener to ask the new tasks through".to_owned())
                .await);
        };
        for request in &self.environment.smoke_test.requests {
            if let Err(reason) = self.expect(run, &base, request).await {
                return Err(self.taken_back(run, format!("smoke test: {reason}")).await);
            }
        }
        if let Some(deployment) = run.deployment() {
            self.cloud.answer(deployment, &pause.hook, Answer::Continue).await?;
        }
        Ok(())
    }

    async fn smoke_base(&self) -> Result<Option<String>, Halt> {
        if let Some(url) = &self.environment.smoke_test.base_url {
            return Ok(Some(url.as_str().trim_end_matches('/').to_owned()));
        }
        Ok(self
            .cloud
            .observe()
            .await?
            .service
            .traffic
            .test
            .map(|route| route.base_url))
    }

    async fn expect(&self, run: &Run<'_>, base: &str, request: &SmokeRequest) -> Result<(), String> {
        let settings = &self.environment.smoke_test;
        let url = format!("{base}{}", request.path);
        let mut last = String::from("never asked");
        for attempt in 1..=settings.attempts.max(1) {
            let result = self
                .probe
                .get(&url, settings.timeout)
                .await
                .map_err(|error| with_cause(&error));
            run.emit(Event::Smoke {
                url: url.clone(),
                result: result.clone(),
                expected: request.expect,
                attempt,
            });
            match result {
                Ok(status) if status == request.expect => return Ok(()),
                Ok(status) => last = format!("GET {url} answered {status}, expected {}", request.expect),
                Err(reason) => last = reason,
            }
            if attempt < settings.attempts {
                self.clock.sleep(self.interval()).await;
            }
        }
        Err(last)
    }
}
