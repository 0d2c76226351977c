//! The seam of time: the only place of the shell that knows what time it is.
//!
//! The machines arm timers by span; the host turns spans into deadlines of its [`Clock`] and fires what
//! is due. A [`RealClock`] goes by itself, a [`VirtualClock`] only when the adapter advances it.
#![allow(
    clippy::disallowed_types,
    reason = "this is the module through which the shell reads time"
)]

use core::future::{Future, poll_fn};
use core::num::NonZeroU32;
use core::ops::RangeInclusive;
use core::pin::{Pin, pin};
use core::sync::atomic::{AtomicU64, Ordering};
use core::task::Poll;
use core::time::Duration;
use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

use rustix::time::{ClockId, clock_gettime};

use crate::clause;
use crate::kernel::{Choose, Span, Time};

/// Where virtual clocks start and from where scaled ones count: the first instant of 2026, UTC.
pub const EPOCH: Time = Time(1_767_225_600_000_000);

/// The greatest factor by which a real clock may be sped up.
pub const SCALE_LIMIT: f64 = 100_000.0;

/// No sleep is longer than this, or than [`SLEEP_PART`] of what is still to wait for, whichever is more: sleeps stand still
/// while the machine is suspended, and the rest of one that was begun before is how late a wait can be noticed after it.
const SLEEP_LIMIT: Duration = Duration::from_secs(1);
/// A part of a wait: of waits that are long there may be many, and not all of them are to look every second.
const SLEEP_PART: u32 = 8;

/// The clock of spans on which a machine that is suspended does not stand still.
#[cfg(any(target_os = "linux", target_os = "android", target_os = "openbsd"))]
const SPANS: ClockId = ClockId::Boottime;
/// Elsewhere this is the one that comes nearest; whether it stands still is the system's matter.
#[cfg(not(any(target_os = "linux", target_os = "android", target_os = "openbsd")))]
const SPANS: ClockId = ClockId::Monotonic;

/// What a wait for a deadline is.
pub type Wait<'a> = Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

/// A source of time.
pub trait Clock: Send + Sync + 'static {
    /// The time now.
    fn now(&self) -> Time;

    /// Completes at `deadline` or a little later. The wait of a virtual clock never completes: who
    /// advances it fires what is due.
    fn until(&self, deadline: Time) -> Wait<'_>;
}

/// The time of the operating system, maybe sped up.
#[derive(Debug)]
pub struct RealClock {
    /// How long it is since some moment, also while the machine was suspended.
    spans: fn() -> Duration,
    started: Duration,
    start: Time,
    scale: f64,
}

/// How long the machine has been up, or suspended.
fn since_boot() -> Duration {
    clause!(MA_043);
    Duration::try_from(clock_gettime(SPANS)).unwrap_or_default()
}

impl RealClock {
    /// A clock that runs `scale` times as fast as the real one, counted from [`EPOCH`], so that all
    /// processes with the same scale agree, also after a restart. With 1.0 it shows the real time.
    ///
    /// # Panics
    /// When `scale` is not above zero and at most [`SCALE_LIMIT`]; the configuration has checked it.
    #[must_use]
    pub fn new(scale: f64) -> Self {
        Self::counting(scale, since_boot)
    }

    fn counting(scale: f64, spans: fn() -> Duration) -> Self {
        assert!(scale > 0.0 && scale <= SCALE_LIMIT, "the configuration has checked the scale");
        let real = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let real = Time(u64::try_from(real.as_micros()).unwrap_or(u64::MAX));
        let start = EPOCH + scaled(real.since(EPOCH), scale);
        Self { spans, started: spans(), start, scale }
    }

    /// How long to sleep on the way to a deadline; nothing when it has come.
    fn sleep_before(&self, deadline: Time) -> Option<Duration> {
        let now = self.now();
        let left = (now < deadline).then(|| scaled(deadline.since(now), 1.0 / self.scale))?;
        // The real span is rounded down; whoever wakes looks again, so "at the deadline or later" is true.
        let left = Duration::from_micros(left.0.max(1));
        Some(left.min(SLEEP_LIMIT.max(left / SLEEP_PART)))
    }
}

#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "a product of two positive numbers; microseconds of centuries fit, and `as` saturates"
)]
fn scaled(span: Span, factor: f64) -> Span {
    if factor.to_bits() == 1.0_f64.to_bits() {
        return span;
    }
    Span((span.0 as f64 * factor) as u64)
}

impl Clock for RealClock {
    fn now(&self) -> Time {
        let elapsed = (self.spans)().saturating_sub(self.started);
        let elapsed = u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX);
        self.start + scaled(Span(elapsed), self.scale)
    }

    fn until(&self, deadline: Time) -> Wait<'_> {
        Box::pin(async move {
            let Some(first) = self.sleep_before(deadline) else { return };
            let mut sleep = pin!(tokio::time::sleep(first));
            // The clock is read whenever anybody looks: what comes behind the deadline is not to come before it only
            // because a sleep is not over that stood still with the machine.
            poll_fn(|cx| {
                while let Some(left) = self.sleep_before(deadline) {
                    if sleep.as_mut().poll(cx).is_pending() {
                        return Poll::Pending;
                    }
                    sleep.as_mut().reset(tokio::time::Instant::now() + left);
                }
                Poll::Ready(())
            })
            .await;
        })
    }
}

/// A clock that stands still until it is advanced.
#[derive(Debug, Default)]
pub struct VirtualClock {
    elapsed: AtomicU64,
}

impl VirtualClock {
    /// A clock that shows `elapsed` since [`EPOCH`].
    #[must_use]
    pub const fn new(elapsed: Span) -> Self {
        Self { elapsed: AtomicU64::new(elapsed.0) }
    }

    /// How long it is since [`EPOCH`].
    #[must_use]
    pub fn elapsed(&self) -> Span {
        Span(self.elapsed.load(Ordering::SeqCst))
    }

    /// Moves the clock forward to `elapsed` since [`EPOCH`].
    ///
    /// # Panics
    /// When that is in its past: the adapter refuses it before.
    pub fn advance(&self, elapsed: Span) {
        clause!(CO_004);
        let before = self.elapsed.swap(elapsed.0, Ordering::SeqCst);
        assert!(before <= elapsed.0, "a virtual clock never goes backwards");
    }
}

impl Clock for VirtualClock {
    fn now(&self) -> Time {
        EPOCH + self.elapsed()
    }

    fn until(&self, _deadline: Time) -> Wait<'_> {
        Box::pin(core::future::pending())
    }
}

/// Waits for `future`, but no longer than `limit` of real time, whatever the clock of the member
/// shows. Only for bounds on the process itself, never for anything that a protocol speaks of.
pub async fn within_real_time<F: Future>(limit: Duration, future: F) -> Option<F::Output> {
    tokio::time::timeout(limit, future).await.ok()
}

/// The moment within `within` at which a timer fires: jitter belongs to the host.
///
/// # Panics
/// When the range is empty; the node has checked it.
pub fn pick(within: &RangeInclusive<Span>, choose: &mut dyn Choose) -> Span {
    let (start, end) = (within.start().0, within.end().0);
    assert!(start <= end, "a timer's range is not empty");
    let Ok(steps) = u32::try_from((end - start).min(u64::from(u32::MAX - 1))) else {
        return Span(start);
    };
    let Some(bound) = NonZeroU32::new(steps + 1).filter(|bound| bound.get() > 1) else {
        return Span(start);
    };
    let drawn = u128::from(choose.below("host.jitter", bound));
    // A range of more than an hour is drawn in coarser steps than microseconds.
    let offset = u128::from(end - start) * drawn / u128::from(steps);
    Span(start + u64::try_from(offset).unwrap_or(end - start))
}

/// The running timers of one host, in the order in which they are due.
#[derive(Clone, Debug)]
pub struct Timers<K> {
    due: BTreeMap<(Time, u64), K>,
    places: BTreeMap<K, (Time, u64)>,
    armed: u64,
}

impl<K> Default for Timers<K> {
    fn default() -> Self {
        Self { due: BTreeMap::new(), places: BTreeMap::new(), armed: 0 }
    }
}

impl<K: Clone + Ord> Timers<K> {
    /// Starts a timer, or restarts it when it runs.
    pub fn arm(&mut self, timer: K, deadline: Time) {
        self.disarm(&timer);
        let place = (deadline, self.armed);
        self.armed += 1;
        self.places.insert(timer.clone(), place);
        self.due.insert(place, timer);
        assert_eq!(self.due.len(), self.places.len(), "each timer runs once");
    }

    /// Stops a timer, if it runs.
    pub fn disarm(&mut self, timer: &K) {
        if let Some(place) = self.places.remove(timer) {
            let removed = self.due.remove(&place);
            assert!(removed.is_some(), "a running timer has a place");
        }
    }

    /// The earliest deadline.
    #[must_use]
    pub fn next(&self) -> Option<Time> {
        self.due.keys().next().map(|(deadline, _)| *deadline)
    }

    /// A mark in the order of arming, for [`Self::pop_due`].
    #[must_use]
    pub const fn mark(&self) -> u64 {
        self.armed
    }

    /// Takes the first timer that is due at `now` and was armed before `mark`: earliest deadline first,
    /// then in the order of arming. The mark keeps what is armed in answer to a due timer for the next
    /// turn, so that a turn ends.
    pub fn pop_due(&mut self, now: Time, mark: u64) -> Option<K> {
        let due = self.due.range(..=(now, u64::MAX)).map(|(place, _)| *place);
        let place = due.into_iter().find(|(_, armed)| *armed < mark)?;
        let timer = self.due.remove(&place)?;
        self.places.remove(&timer);
        assert_eq!(self.due.len(), self.places.len(), "each timer runs once");
        Some(timer)
    }

    /// How many timers run.
    #[must_use]
    pub fn len(&self) -> usize {
        self.due.len()
    }

    /// Whether no timer runs.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.due.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::Seeded;

    #[test]
    fn timers_are_due_by_deadline_and_then_by_the_order_in_which_they_were_armed() {
        let mut timers = Timers::default();
        timers.arm('b', Time(5));
        timers.arm('a', Time(5));
        timers.arm('c', Time(4));
        timers.arm('d', Time(6));
        timers.arm('b', Time(5)); // restarted: now armed after `a`
        assert_eq!(timers.next(), Some(Time(4)));
        let mark = timers.mark();
        assert_eq!(timers.pop_due(Time(5), mark), Some('c'));
        timers.arm('c', Time(5)); // armed in answer: not before the next turn
        timers.arm('e', Time(1));
        assert_eq!(timers.pop_due(Time(5), mark), Some('a'));
        assert_eq!(timers.pop_due(Time(5), mark), Some('b'));
        assert_eq!(timers.pop_due(Time(5), mark), None);
        let mark = timers.mark();
        assert_eq!(timers.pop_due(Time(5), mark), Some('e'));
        assert_eq!(timers.pop_due(Time(5), mark), Some('c'));
        assert_eq!(timers.next(), Some(Time(6)));
        timers.disarm(&'d');
        assert!(timers.is_empty() && timers.pop_due(Time(u64::MAX), u64::MAX).is_none());
    }

    #[test]
    fn an_exact_range_is_exact_and_a_wide_one_keeps_its_bounds() {
        let mut choose = Seeded::new(1);
        assert_eq!(pick(&(Span(7)..=Span(7)), &mut choose), Span(7));
        let mut seen = std::collections::BTreeSet::new();
        for _ in 0..200 {
            let span = pick(&(Span(10)..=Span(13)), &mut choose);
            assert!((10..=13).contains(&span.0), "{span:?}");
            seen.insert(span);
        }
        assert_eq!(seen.len(), 4, "every moment of a small range is picked: {seen:?}");
        let wide = Span::hours(1)..=Span::hours(48);
        assert!(wide.contains(&pick(&wide, &mut choose)));
        assert!(pick(&(Span::ZERO..=Span(u64::MAX)), &mut choose) <= Span(u64::MAX));
    }

    // CO-004
    #[test]
    fn a_virtual_clock_stands_until_it_is_advanced() {
        let clock = VirtualClock::default();
        assert_eq!(clock.now(), EPOCH);
        clock.advance(Span::seconds(60));
        assert_eq!(clock.now().since(EPOCH), Span::seconds(60));
    }

    #[test]
    #[should_panic(expected = "never goes backwards")]
    fn a_virtual_clock_refuses_to_go_backwards() {
        let clock = VirtualClock::new(Span(5));
        clock.advance(Span(4));
    }

    /// MA-043: a machine that was suspended finds both what is due and what has come, and what is due comes first; whoever
    /// waits for nothing else is late by a sleep at most.
    #[test]
    fn a_wait_is_over_once_the_machine_wakes() {
        static SUSPENDED_S: AtomicU64 = AtomicU64::new(0);
        let spans = || since_boot() + Duration::from_secs(SUSPENDED_S.load(Ordering::SeqCst));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            let clock = RealClock::counting(1.0, spans);
            let (lease, hour) = (clock.now() + Span::seconds(300), clock.now() + Span::hours(1));
            let (sender, mut inputs) = tokio::sync::mpsc::channel(1);
            let mut first = pin!(async {
                tokio::select! {
                    biased;
                    () = clock.until(lease) => "due",
                    _ = inputs.recv() => "come",
                }
            });
            let begun = poll_fn(|cx| Poll::Ready(first.as_mut().poll(cx))).await;
            assert_eq!(begun, Poll::Pending, "five minutes are not over");
            SUSPENDED_S.store(300, Ordering::SeqCst);
            sender.send(()).await.unwrap();
            assert_eq!(first.await, "due");
            assert!(clock.sleep_before(hour) <= Some(Duration::from_secs(3600 / 8)));
            SUSPENDED_S.store(3599, Ordering::SeqCst);
            let waited = within_real_time(Duration::from_secs(60), clock.until(hour));
            waited.await.expect("less than a second is left");
        });
    }

    /// A long wait looks seldom, the end of one every second, and a short one only when it is over.
    #[test]
    fn sleeps_are_parts_of_a_wait() {
        let clock = RealClock::counting(1.0, || Duration::from_secs(7));
        let sleep = |span| clock.sleep_before(clock.now() + span);
        assert_eq!(sleep(Span::ZERO), None);
        assert_eq!(sleep(Span::milliseconds(5)), Some(Duration::from_millis(5)));
        assert_eq!(sleep(Span::seconds(5)), Some(SLEEP_LIMIT));
        assert_eq!(sleep(Span::seconds(80)), Some(Duration::from_secs(10)));
        let fast = RealClock::counting(60.0, || Duration::from_secs(7));
        let minute = fast.sleep_before(fast.now() + Span::minutes(1));
        assert_eq!(minute, Some(SLEEP_LIMIT));
    }

    #[test]
    fn a_scaled_clock_waits_a_fraction_of_the_span() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            let clock = RealClock::new(10_000.0);
            let before = clock.now();
            let waited =
                within_real_time(Duration::from_secs(5), clock.until(before + Span::seconds(60)));
            waited.await.expect("a minute is six milliseconds at this scale");
            assert!(clock.now() >= before + Span::seconds(60));
        });
    }
}
