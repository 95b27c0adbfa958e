//! Executors on networks of their own, one of which is cut. Skipped, loudly, where `REMATCH_NETNS` is not set: it takes root, and
//! `ip` of iproute2.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use super::{Cluster, asking_bench};
use crate::rematch::{binary, command};
use crate::reproducible::assert_same_run_but_requests;
use crate::s3_server::{S3Server, url};
use crate::sample;
use crate::search_server::SearchServer;

/// How long the network is cut.
const CUT: Duration = Duration::from_secs(30);

/// A machine of its own, as far as the network goes: it reaches this one, and can be cut off.
struct Machine {
    name: String,
    /// This machine's end of the cable.
    host: String,
}

impl Machine {
    /// Makes one; its number tells it from others of this process.
    fn plug_in(number: u8) -> Self {
        // Two processes of tests do not meet: the address follows from the process.
        let process = std::process::id();
        let (name, third) = (format!("rm{process}-{number}"), (process % 64) * 4 + u32::from(number));
        let (host, guest) = (format!("10.213.{third}.1"), format!("10.213.{third}.2"));
        let (ours, theirs) =
            (format!("rmo{}-{number}", process % 100_000), format!("rmt{}-{number}", process % 100_000));
        let machine = Self { name, host };
        let name = machine.name.as_str();
        ip(&["netns", "add", name]);
        ip(&["link", "add", &ours, "type", "veth", "peer", "name", &theirs]);
        ip(&["link", "set", &theirs, "netns", name]);
        ip(&["-n", name, "link", "set", &theirs, "name", "cable"]);
        ip(&["addr", "add", &format!("{}/30", machine.host), "dev", &ours]);
        ip(&["link", "set", &ours, "up"]);
        ip(&["-n", name, "addr", "add", &format!("{guest}/30"), "dev", "cable"]);
        ip(&["-n", name, "link", "set", "lo", "up"]);
        machine.connect();
        machine
    }

    fn connect(&self) {
        ip(&["-n", &self.name, "link", "set", "cable", "up"]);
        ip(&["-n", &self.name, "route", "replace", "default", "via", &self.host]);
    }

    fn cut(&self) {
        ip(&["-n", &self.name, "link", "set", "cable", "down"]);
    }

    /// Returns a call of the binary on this machine.
    fn command(&self) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.name]).arg(binary());
        command
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        // The cable goes with it.
        let _ = Command::new("ip").args(["netns", "del", &self.name]).status();
    }
}

fn ip(arguments: &[&str]) {
    let output = Command::new("ip").args(arguments).output().expect("iproute2 is installed");
    assert!(output.status.success(), "ip {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn an_executor_that_is_cut_off_for_a_while_loses_nothing_and_writes_nothing_twice() {
    if std::env::var_os("REMATCH_NETNS").is_none() {
        eprintln!("skipped: `REMATCH_NETNS` is not set");
        return;
    }
    let machines = [Machine::plug_in(0), Machine::plug_in(1)];
    // Scheduler, store and search server stand on this machine, at an address that both reach.
    let host = machines[0].host.as_str();
    let Some(store) = S3Server::start_at(host) else { return };
    let Some(mut cluster) = Cluster::start_at(host, &store.environment()) else { return };
    for machine in &machines {
        cluster.add_executor_by(machine.command());
    }
    let server = SearchServer::over_at(&sample::products(), host);
    // Slow enough to be cut off in the middle, and as patient as the network is bad: a request that waits is no failure.
    let policy = "rate = 25.0\nconnect-timeout = \"3m\"\nread-timeout = \"3m\"\ntimeout = \"3m\"";
    let bench = asking_bench(&server, policy);
    let mut here = command();
    here.arg("run").arg(bench.path("bench.toml")).arg("--out").arg(bench.path("here")).args(["--quiet", "--no-cache"]);
    let mut here = here.spawn().expect("the binary runs");
    let run = PathBuf::from(url("runs/cut"));
    let mut start = cluster.call(&[Path::new("run"), &bench.path("bench.toml"), Path::new("--out"), &run]);
    let mut process = start.stderr(Stdio::inherit()).spawn().expect("the binary runs");
    super::wait_for_parts(&store.path("runs/cut"), 7, &mut process);
    machines[1].cut();
    std::thread::sleep(CUT);
    machines[1].connect();
    assert!(process.wait().expect("ended").success(), "{}", cluster.logs());
    assert!(here.wait().expect("ended").success());
    assert_same_run_but_requests(&bench.path("here"), &store.path("runs/cut"));
}
