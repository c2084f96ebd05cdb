//! Work done ahead of its use, by a thread of its own.

use std::sync::mpsc::sync_channel;
use std::thread;

/// Results that wait for their use while another is being made.
const WAITING: usize = 1;

/// Calls `use_them` with what gives the results of `make` for `items` one after another. A thread makes the next ones while a
/// result is in use; it ends where nobody takes them any more.
pub(super) fn ahead<I, T, R>(
    items: impl Iterator<Item = I> + Send,
    make: impl Fn(I) -> T + Send,
    use_them: impl FnOnce(&mut dyn FnMut() -> Option<T>) -> R,
) -> R
where
    T: Send,
{
    thread::scope(|scope| {
        let (sender, receiver) = sync_channel(WAITING);
        scope.spawn(move || {
            for item in items {
                if sender.send(make(item)).is_err() {
                    break;
                }
            }
        });
        use_them(&mut move || receiver.recv().ok())
    })
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;
    use std::time::Duration;

    use super::*;

    #[test]
    fn results_come_in_order_and_the_next_are_made_while_one_is_in_use() {
        let (made, notices) = channel();
        let made_soon = || notices.recv_timeout(Duration::from_secs(60)).unwrap();
        let make = move |item: u32| {
            made.send(item).unwrap();
            10 * item
        };
        ahead(0..4, make, |next| {
            assert_eq!(next(), Some(0));
            // The result in use, the one that waits, and the one being made.
            assert_eq!([made_soon(), made_soon(), made_soon()], [0, 1, 2]);
            assert_eq!(notices.recv_timeout(Duration::from_millis(50)).ok(), None);
            assert_eq!(
                [next(), next(), next(), next()],
                [Some(10), Some(20), Some(30), None]
            );
        });
    }

    #[test]
    fn what_nobody_takes_is_not_made() {
        let first = ahead(0.., |item: u64| item, |next| next());
        assert_eq!(first, Some(0));
    }
}
