//! What happens, on stderr: a bar on a terminal, a line per step where there is none, nothing when quiet.

use std::io::IsTerminal;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use rematch_engine::event::{Event, Listener, RunState};

use crate::terminal::{counted, tell};

/// While nobody knows how much there is to do.
const SPINNER: &str = "{spinner} {msg}";
/// While sessions are worked on.
const BAR: &str = "{msg} {wide_bar} {pos}/{len} {eta}";
/// Time from one picture of the spinner to the next.
const TICK: Duration = Duration::from_millis(120);

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
        let progress = Self::on(target, !quiet && !terminal);
        if terminal && !quiet {
            // Nobody else draws while inputs are read and sessions are loaded.
            progress.bar.enable_steady_tick(TICK);
        }
        progress
    }

    fn on(target: ProgressDrawTarget, plain: bool) -> Self {
        let bar = ProgressBar::with_draw_target(None, target);
        let progress = Self { bar, plain, current: Mutex::new(String::new()) };
        progress.wear(SPINNER);
        progress
    }

    /// Draws the bar by a template from now on.
    fn wear(&self, template: &str) {
        if let Ok(style) = ProgressStyle::with_template(template) {
            self.bar.set_style(style);
        }
    }

    /// Takes the bar off the screen.
    pub(crate) fn finish(&self) {
        self.bar.finish_and_clear();
    }

    /// Shows a line that stays, above the bar where there is one.
    pub(crate) fn line(&self, text: &str) {
        if self.plain {
            tell(text);
        } else {
            self.bar.println(text);
        }
    }

    /// Says what is done now, where nobody knows how much of it there is.
    fn say(&self, text: &str) {
        if self.plain {
            return tell(text);
        }
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        current.clear();
        self.wear(SPINNER);
        self.bar.unset_length();
        self.bar.set_message(text.to_owned());
    }

    /// Moves the bar; without a terminal only a step's end is said.
    fn step(&self, label: String, done: u64, total: u64, note: &str) {
        if self.plain {
            if done == total {
                tell(&format!("{label}: {}{note}", counted(total, "session")));
            }
            return;
        }
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if *current != label {
            self.bar.reset();
            self.bar.set_length(total);
            self.bar.set_message(label.clone());
            // Last: it draws, and so may the ticker.
            self.wear(BAR);
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
            Event::Sampled { loaded, sampled } => {
                self.say(&format!("sampled {sampled} of {}", counted(*loaded, "session")));
            }
            Event::Replayed { retriever_id, done, total, failed, borrowed } => {
                let note = if *failed > 0 { format!(", {failed} failed") } else { String::new() };
                let verb = if *borrowed { "judging" } else { "replaying" };
                self.step(format!("{verb} {retriever_id}"), *done, *total, &note);
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::Arc;

    use indicatif::TermLike;

    use super::*;

    /// A terminal that keeps all that is written to it.
    #[derive(Debug, Clone, Default)]
    struct Screen(Arc<Mutex<String>>);

    impl Screen {
        fn take(&self) -> String {
            std::mem::take(&mut self.0.lock().unwrap())
        }
    }

    impl TermLike for Screen {
        fn width(&self) -> u16 {
            80
        }
        fn move_cursor_up(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn move_cursor_down(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn move_cursor_right(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn move_cursor_left(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn write_line(&self, text: &str) -> io::Result<()> {
            self.write_str(text)
        }
        fn write_str(&self, text: &str) -> io::Result<()> {
            self.0.lock().unwrap().push_str(text);
            Ok(())
        }
        fn clear_line(&self) -> io::Result<()> {
            Ok(())
        }
        fn flush(&self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_terminal_shows_what_is_done_before_and_after_there_is_a_number_of_sessions() {
        let screen = Screen::default();
        let progress = Progress::on(ProgressDrawTarget::term_like(Box::new(screen.clone())), false);
        let shown = |event: Event| {
            screen.take();
            progress.hear(&event);
            // The bar is not drawn more often than people can see.
            progress.bar.force_draw();
            screen.take()
        };
        let replayed =
            |done| Event::Replayed { retriever_id: "new".into(), done, total: 7, failed: 0, borrowed: false };
        for (event, text) in [
            (Event::Entered(RunState::Pending), "reading inputs"),
            (Event::Entered(RunState::BuildingSessions), "loading sessions"),
            (Event::Sampled { loaded: 1, sampled: 1 }, "sampled 1 of 1 session"),
            (Event::Entered(RunState::ComputingMetrics), "comparing"),
        ] {
            let said = shown(event);
            assert!(said.contains(text) && !said.contains("0/0") && !said.contains('░'), "{said:?}");
            let bar = shown(replayed(3));
            assert!(bar.contains("replaying new") && bar.contains("3/7"), "{bar:?}");
        }
    }
}
