//! The busy data centre of `bootledger demo --busy`: 250 devices and 60 deployments in every state, to see how pages and lists
//! look when there is much to do.
//!
//! Everything is created with ordinary commands and in the present: the event log records when something was really recorded,
//! so nothing here is backdated. The commands have idempotency keys, so a second start in the same data folder adds nothing.

mod catalogue;

pub(super) use catalogue::catalogue;

use crate::commands::CommandService;
use crate::commands::administrator::{by, shown};
use anyhow::{Context as _, Result};
use bootledger_aggregates::actor::SystemActor;
use bootledger_aggregates::deployment::event::DoneBy;
use bootledger_aggregates::deployment::installer::InstallerReport;
use bootledger_aggregates::values::ids::{DeploymentId, DeviceId};
use bootledger_aggregates::values::text::Text;
use bootledger_port::fingerprint::{Fingerprint, IdempotencyKey};
use bootledger_port::{Command, CommandError, Commands, Context, DeploymentAction, NewDeployment, Receipt};
use bootledger_projections::database::pool::Pool;
use bootledger_projections::rows::at::At;
use bootledger_projections::rows::deployments::{self, Deployment, Status};
use bootledger_projections::rows::devices;
use catalogue::Server;
use futures::stream::{self, StreamExt, TryStreamExt};
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// How many commands run concurrently.
const AT_ONCE: usize = 16;

/// How long the deployments may take to become in progress: the demo's DHCP agents confirm them.
const PATIENCE: Duration = Duration::from_mins(1);

/// How a deployment of the busy demo goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Course {
    /// It is marked as done.
    Done,
    /// It waits until an operator restarts the server.
    AwaitsRestart,
    /// Its installer has reported this progress in percent.
    Installs(u8),
    /// Its installer has reported a failure.
    Fails(&'static str),
    /// It becomes overdue after a minute, because of its boot image.
    Overdue,
    /// It is cancelled with this reason.
    Cancelled(&'static str),
    /// It waits for a DHCP server without an agent.
    AwaitsDhcp,
}

impl Course {
    /// The boot image that the course needs, if it is not the role's own.
    fn boot_image(self) -> Option<&'static str> {
        (self == Self::Overdue).then_some("quick-check")
    }
}

/// The deployments: how many take each course, outside the site `dc3` and in it.
const COURSES: [(usize, Course); 14] = [
    (26, Course::Done),
    (12, Course::AwaitsRestart),
    (1, Course::Installs(5)),
    (1, Course::Installs(35)),
    (1, Course::Installs(60)),
    (1, Course::Installs(95)),
    (1, Course::Fails("The installer found no disk. Check the RAID controller.")),
    (1, Course::Fails("The mirror deb.dc1.example did not respond within 60 s.")),
    (1, Course::Fails("Partitioning failed: /dev/sda is smaller than 20 GB.")),
    (3, Course::Overdue),
    (1, Course::Cancelled("Wrong rack: the server belongs to the row of the search team")),
    (1, Course::Cancelled("Ticket OPS-4711: the customer has postponed the order")),
    (1, Course::Cancelled("A memory module is broken; the vendor replaces it on Thursday")),
    (9, Course::AwaitsDhcp),
];

/// The reasons for cancelling some of the deployments that wait for DHCP.
const CANCELLED_EARLY: [&str; 3] =
    ["Started by mistake", "The cage of dc3 has no power yet", "Ticket OPS-4720: another boot image is needed"];

/// One deployment to start: the server and how it goes on.
struct Planned {
    server: Server,
    course: Course,
}

/// The servers to deploy, with their courses. The unverified ones cannot be deployed.
fn planned() -> Vec<Planned> {
    let (far, near): (Vec<Server>, Vec<Server>) =
        catalogue::servers().into_iter().filter(|server| server.verified).partition(|server| server.site == "dc3");
    // Not all of a rack: every third server, so that racks show all states.
    let mut near = near.into_iter().step_by(3);
    let mut far = far.into_iter();
    let mut early = CANCELLED_EARLY.into_iter();
    let mut planned = vec![];
    for (count, course) in COURSES {
        let awaits_dhcp = course == Course::AwaitsDhcp;
        let servers: Vec<Server> =
            if awaits_dhcp { far.by_ref().take(count).collect() } else { near.by_ref().take(count).collect() };
        planned.extend(servers.into_iter().map(|server| {
            let course = if awaits_dhcp { early.next().map_or(course, Course::Cancelled) } else { course };
            Planned { server, course }
        }));
    }
    planned
}

/// Starts the deployments, and brings each to its state. Returns how many there are.
///
/// # Errors
/// Returns an error if a deployment cannot be started, or if the views cannot be read. A later command that is refused, because a
/// user has changed a deployment since, is only logged.
pub(super) async fn deploy(commands: &CommandService, views: &Pool) -> Result<usize> {
    let planned = planned();
    let started: Vec<(DeploymentId, Course)> = stream::iter(&planned)
        .map(|planned| async move {
            let id = start(commands, views, planned).await.with_context(|| format!("deployment of {}", planned.server.serial))?;
            anyhow::Ok((id, planned.course))
        })
        .buffer_unordered(AT_ONCE)
        .try_collect()
        .await?;
    let settled = settle(views, &started).await?;
    stream::iter(&settled)
        .for_each_concurrent(AT_ONCE, |(row, course)| async move {
            let Some(action) = next(row, *course) else { return };
            let context = context(&format!("{}:course", row.id));
            match commands.execute(Command::Deployment(action), context).await {
                Ok(_) => {}
                Err(error) => {
                    tracing::info!(deployment.id = %row.id, %error, "a deployment of the busy demo takes another course");
                }
            }
        })
        .await;
    Ok(started.len())
}

async fn start(commands: &CommandService, views: &Pool, Planned { server, course }: &Planned) -> Result<DeploymentId> {
    let device = device(views, &server.serial).await?;
    let wanted = NewDeployment {
        network: Some(server.network.parse()?),
        venture: Some(server.venture.parse()?),
        role: Some(server.role.parse()?),
        boot_image: course.boot_image().map(str::parse).transpose()?,
        ..NewDeployment::of_device(device)
    };
    let command = Command::Deployment(DeploymentAction::StartDeployment(Box::new(wanted)));
    let receipt: Result<Receipt, CommandError> = commands.execute(command, context(&server.serial)).await;
    Ok(receipt.map_err(shown)?.id.parse()?)
}

async fn device(views: &Pool, serial: &str) -> Result<DeviceId> {
    let filter = devices::Filter { serial: Some(Text::fitted(serial)), ..Default::default() };
    let found = devices::list(views, &filter, At::Now, 1).await?;
    Ok(found.first().context("the device no longer exists")?.id)
}

/// Waits until the deployments that need it are in progress, and returns all of them as they are then.
async fn settle(views: &Pool, started: &[(DeploymentId, Course)]) -> Result<Vec<(Deployment, Course)>> {
    let ids: Vec<DeploymentId> = started.iter().map(|(id, _)| *id).collect();
    let course = |id: DeploymentId| started.iter().find(|(known, _)| *known == id).map(|(_, course)| *course);
    let until = Instant::now() + PATIENCE;
    loop {
        let found = deployments::find_many(views, &ids, At::Now).await?;
        // Those in dc3 stay open.
        let early = |row: &Deployment| row.status == Status::Open && row.site.as_str() != "dc3";
        let settled = found.len() == ids.len() && !found.iter().any(early);
        if settled || Instant::now() > until {
            return Ok(found.into_iter().filter_map(|row| course(row.id).map(|course| (row, course))).collect());
        }
        sleep(Duration::from_millis(200)).await;
    }
}

/// The command that brings a deployment to its state, if it needs one.
fn next(row: &Deployment, course: Course) -> Option<DeploymentAction> {
    let deployment = row.id;
    let report = |percent: Option<u8>, text: &str, failed| InstallerReport {
        stage: "partitioning".parse().ok(),
        percent: percent.and_then(|percent| percent.to_string().parse().ok()),
        text: Some(Text::fitted(text)),
        failed,
        next_boot: None,
        client: row.ip,
    };
    match course {
        Course::Done => {
            let by = DoneBy::Operator { name: Text::fitted("demo"), reason: Text::fitted("Installed by the demo") };
            Some(DeploymentAction::MarkDone { deployment, by })
        }
        Course::Installs(percent) => Some(DeploymentAction::ReportInstaller {
            deployment,
            report: report(Some(percent), "Unpacking the base system", false),
        }),
        Course::Fails(text) => Some(DeploymentAction::ReportInstaller { deployment, report: report(None, text, true) }),
        Course::Cancelled(reason) => Some(DeploymentAction::CancelDeployment { deployment, reason: Text::fitted(reason) }),
        Course::AwaitsRestart | Course::Overdue | Course::AwaitsDhcp => None,
    }
}

/// The context of one command. Its key makes the command take effect once, however often the demo is started.
fn context(name: &str) -> Context {
    let request = Fingerprint::of("DEMO", "busy", name, b"", b"");
    Context { idempotency_key: Some(IdempotencyKey { key: format!("demo-busy:{name}"), request }), ..by(SystemActor::Demo) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue_file::Files;
    use std::collections::BTreeSet;
    use std::path::Path;

    #[test]
    fn the_catalogue_is_valid_and_makes_250_devices_with_the_small_demos() {
        let text = catalogue();
        Files::of_text("the busy demo's catalogue", &text, Path::new(".")).expect("a valid catalogue");
        let servers = catalogue::servers();
        let small = super::super::CATALOGUE.matches("serial: ").count();
        assert_eq!(servers.len() + small, 250);
        let distinct = |of: fn(&Server) -> String| servers.iter().map(of).collect::<BTreeSet<_>>().len();
        assert_eq!(distinct(|server| server.serial.clone()), servers.len());
        assert_eq!(distinct(|server| server.mac.clone()), servers.len());
        assert_eq!(distinct(|server| server.controller.clone()), servers.len());
        assert_eq!(distinct(|server| format!("{} {}", server.rack, server.unit)), servers.len());
    }

    #[test]
    fn sixty_deployments_take_every_course_on_servers_of_their_own() {
        let planned = planned();
        assert_eq!(planned.len(), 60);
        let servers: BTreeSet<&str> = planned.iter().map(|planned| planned.server.serial.as_str()).collect();
        assert_eq!(servers.len(), 60);
        let count = |is: fn(&Course) -> bool| planned.iter().filter(|planned| is(&planned.course)).count();
        assert_eq!(count(|course| matches!(course, Course::Done)), 26);
        assert_eq!(count(|course| matches!(course, Course::AwaitsDhcp)), 6);
        assert_eq!(count(|course| matches!(course, Course::Cancelled(_))), 6);
        assert_eq!(count(|course| matches!(course, Course::Fails(_))), 3);
        let at_dc3 = planned.iter().filter(|planned| planned.server.site == "dc3");
        let courses: Vec<Course> = at_dc3.map(|planned| planned.course).collect();
        assert_eq!(courses.len(), 9);
        assert!(courses.iter().all(|course| matches!(course, Course::AwaitsDhcp | Course::Cancelled(_))), "{courses:?}");
    }
}
