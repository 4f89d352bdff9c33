//! CPU and memory of each service, once a second, from its processes.
//!
//! Utilisation is of what the task reserved (Amazon ECS Developer Guide, "Amazon ECS service utilization metrics").

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Engine;
use crate::cloudwatch::Unit;
use crate::ecs::world::Task;
use crate::runtime::Process;

const PERIOD: Duration = Duration::from_secs(1);
/// CPU units of one core.
const CORE: f64 = 1024.0;
/// What a task without reservations is measured against: a quarter of a core and half a gibibyte, Fargate's smallest.
const SMALLEST_CPU: f64 = 256.0;
const SMALLEST_MEMORY_MIB: f64 = 512.0;

/// One service's sums over its tasks.
#[derive(Default)]
struct Sums {
    cpu: f64,
    memory: f64,
    tasks: f64,
}

impl Engine {
    pub(super) async fn measure_forever(self: Arc<Self>) {
        let mut ticks = tokio::time::interval(PERIOD);
        let mut before: HashMap<u32, Duration> = HashMap::new();
        let mut last = Instant::now();
        loop {
            ticks.tick().await;
            let elapsed = last.elapsed().as_secs_f64();
            last = Instant::now();
            if elapsed > 0.0 {
                before = self.measure(&before, elapsed);
            }
        }
    }

    /// Records every service's utilisation; gives the CPU time each process has had so far.
    fn measure(&self, before: &HashMap<u32, Duration>, elapsed: f64) -> HashMap<u32, Duration> {
        let processes: Vec<(String, Vec<Process>)> = self
            .live()
            .iter()
            .map(|(id, live)| {
                (
                    id.clone(),
                    live.processes.iter().map(|(_, process)| process.clone()).collect(),
                )
            })
            .collect();
        let mut after = HashMap::new();
        let mut services: HashMap<(String, String, String), Sums> = HashMap::new();
        for (id, processes) in processes {
            let mut cpu = Duration::ZERO;
            let mut memory = 0;
            for process in &processes {
                let Some(usage) = process.usage() else { continue };
                let known = before.get(&process.pid()).copied().unwrap_or(usage.cpu);
                cpu += usage.cpu.saturating_sub(known);
                memory += usage.resident_bytes;
                after.insert(process.pid(), usage.cpu);
            }
            let Some((service, reserved)) = self.reservation(&id) else {
                continue;
            };
            let sums = services.entry(service).or_default();
            sums.cpu += cpu.as_secs_f64() / elapsed / (reserved.cpu / CORE) * 100.0;
            sums.memory += mib(memory) / reserved.memory_mib * 100.0;
            sums.tasks += 1.0;
        }
        for ((region, cluster, service), sums) in services {
            let dimensions = [("ClusterName", cluster), ("ServiceName", service)];
            let metrics = &self.plane.metrics;
            metrics.record(
                &region,
                "AWS/ECS",
                "CPUUtilization",
                &dimensions,
                sums.cpu / sums.tasks,
                Unit::PERCENT,
            );
            metrics.record(
                &region,
                "AWS/ECS",
                "MemoryUtilization",
                &dimensions,
                sums.memory / sums.tasks,
                Unit::PERCENT,
            );
        }
        after
    }

    /// Which service a task belongs to, and what it reserved.
    fn reservation(&self, id: &str) -> Option<((String, String, String), Reserved)> {
        self.world.read(|world| {
            world.regions().find_map(|(region, state)| {
                let task = state.tasks.get(id)?;
                let service = state.services.get(task.owner.service()?)?;
                Some((
                    (region.clone(), service.cluster.clone(), service.name.clone()),
                    Reserved::by(task),
                ))
            })
        })
    }
}

struct Reserved {
    cpu: f64,
    memory_mib: f64,
}

impl Reserved {
    fn by(task: &Task) -> Self {
        let number = |text: &Option<String>| {
            text.as_deref()
                .and_then(|text| text.parse::<f64>().ok())
                .filter(|number| *number > 0.0)
        };
        Self {
            cpu: number(&task.cpu).unwrap_or(SMALLEST_CPU),
            memory_mib: number(&task.memory).unwrap_or(SMALLEST_MEMORY_MIB),
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "a process has far less than 2^53 bytes")]
fn mib(bytes: u64) -> f64 {
    bytes as f64 / (1024.0 * 1024.0)
}
