//! What happens, on stderr: a bar on a terminal, a line per step where there is none, nothing when quiet.

use std::io::IsTerminal;
use std::sync::Mutex;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use rematch_engine::event::{Event, Listener, RunState};

/// Shows a run's events.
pub(crate) struct Progress {
    bar: ProgressBar,
    plain: bool,
    current: Mutex<String>,
}

impl Progress {
    /// Returns a display for this process's stderr.
    pub(crate) fn new(quiet: bool) -> Self {
        let terminal = std::io::stderr().is_terminal();
        let target = if quiet || !terminal { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() };
        let bar = ProgressBar::with_draw_target(None, target);
        Self { bar, plain: !quiet && !terminal, current: Mutex::new(String::new()) }
    }

    /// Takes the bar off the screen.
    pub(crate) fn finish(&self) {
        self.bar.finish_and_clear();
    }

    /// Shows a line that stays, above the bar where there is one.
    #[expect(clippy::print_stderr, reason = "talk goes to stderr")]
    pub(crate) fn line(&self, text: &str) {
        if self.plain {
            eprintln!("{text}");
        } else {
            self.bar.println(text);
        }
    }

    #[expect(clippy::print_stderr, reason = "talk goes to stderr")]
    fn say(&self, text: &str) {
        if self.plain {
            eprintln!("{text}");
        } else {
            self.bar.set_message(text.to_owned());
        }
    }

    /// Moves the bar; without a terminal only a step's end is said.
    fn step(&self, label: String, done: u64, total: u64, note: &str) {
        if self.plain {
            if done == total {
                self.say(&format!("{label}: {total} sessions{note}"));
            }
            return;
        }
        let mut current = self.current.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if *current != label {
            let style = ProgressStyle::with_template("{msg} {wide_bar} {pos}/{len} {eta}");
            if let Ok(style) = style {
                self.bar.set_style(style);
            }
            self.bar.reset();
            self.bar.set_length(total);
            current.clone_from(&label);
        }
        self.bar.set_message(format!("{label}{note}"));
        self.bar.set_position(done);
    }
}

impl Listener for Progress {
    fn hear(&self, event: &Event) {
        match event {
            Event::Entered(RunState::Pending) => self.say("reading inputs"),
            Event::Entered(RunState::BuildingSessions) => self.say("loading sessions"),
            Event::Entered(RunState::ComputingMetrics) => self.say("comparing"),
            Event::Sampled { loaded, sampled } => self.say(&format!("sampled {sampled} of {loaded} sessions")),
            Event::Replayed { retriever_id, done, total, failed, borrowed } => {
                let note = if *failed > 0 { format!(", {failed} failed") } else { String::new() };
                let verb = if *borrowed { "judging" } else { "replaying" };
                self.step(format!("{verb} {retriever_id}"), *done, *total, &note);
            }
            _ => {}
        }
    }
}
