//! Work on chunks by several threads, taken up in the order of the chunks: the same sums, to the bit, on any number of them.

use std::num::NonZeroUsize;
use std::sync::mpsc::sync_channel;
use std::thread;

/// Finished chunks that a thread may be ahead by; more would only hold memory.
const AHEAD: usize = 2;

/// Calls `work` for every number below `count` on up to `threads` threads, and `take` with each result, in ascending order,
/// on the calling thread.
///
/// # Errors
///
/// Returns the first error in that order; what is under way is then dropped.
pub(super) fn in_order<T: Send, E: Send>(
    count: usize,
    threads: NonZeroUsize,
    work: impl Fn(usize) -> Result<T, E> + Sync,
    mut take: impl FnMut(usize, T) -> Result<(), E>,
) -> Result<(), E> {
    let workers = threads.get().min(count);
    if workers < 2 {
        return (0..count).try_for_each(|index| take(index, work(index)?));
    }
    thread::scope(|scope| {
        let mut finished = Vec::with_capacity(workers);
        for worker in 0..workers {
            let (sender, receiver) = sync_channel(AHEAD);
            let work = &work;
            scope.spawn(move || {
                for index in (worker..count).step_by(workers) {
                    if sender.send(work(index)).is_err() {
                        return;
                    }
                }
            });
            finished.push(receiver);
        }
        for (index, receiver) in (0..count).zip(finished.iter().cycle()) {
            // A thread that is gone without a result panicked, and the scope passes that on.
            let Ok(result) = receiver.recv() else { break };
            take(index, result?)?;
        }
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_come_in_order_and_the_first_error_ends_the_work() {
        for threads in [1, 2, 3, 16] {
            let threads = NonZeroUsize::new(threads).expect("threads");
            let mut taken = Vec::new();
            let work = |index: usize| if index == 7 { Err(index) } else { Ok(index * 2) };
            let outcome = in_order(20, threads, work, |index, double| {
                taken.push((index, double));
                Ok(())
            });
            assert_eq!(outcome, Err(7));
            assert_eq!(taken, (0..7).map(|index| (index, index * 2)).collect::<Vec<_>>());
        }
    }
}
