//! Time from left to right: lanes with a name each, and where in them a moment is.

use maud::{Markup, html};

/// The time that a picture shows, from zero on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Axis {
    end_ns: u64,
}

impl Axis {
    /// Up to the last event.
    pub(super) fn new(end_ns: u64) -> Self {
        Self { end_ns: end_ns.max(1) }
    }

    /// Where a moment is, in percent of the width.
    pub(super) fn percent(self, t_ns: u64) -> f64 {
        t_ns.min(self.end_ns) as f64 / self.end_ns as f64 * 100.0
    }

    /// The times of the scale, about five, at round numbers of seconds.
    fn ticks(self) -> Vec<f64> {
        let end = self.end_ns as f64 / 1e9;
        let rough = end / 5.0;
        let power = 10f64.powf(rough.log10().floor());
        let step =
            [1.0, 2.0, 5.0, 10.0].map(|factor| factor * power).into_iter().find(|step| *step >= rough).unwrap_or(rough);
        // The last one stands where the time ends.
        (0..).map(|number| f64::from(number) * step).take_while(|time| *time < end - step * 0.4).chain([end]).collect()
    }

    /// The lane of the scale.
    pub(super) fn scale(self) -> Markup {
        let ticks = self.ticks();
        html! {
            div.name {}
            div.track.axis aria-hidden="true" {
                @for time in ticks { span style=(left(time * 1e11 / self.end_ns as f64)) { (seconds((time * 1e9) as u64)) } }
            }
        }
    }
}

/// A lane: its name and what is on its track.
pub(super) fn lane(name: &str, track: &Markup) -> Markup {
    html! { div.name title=(name) { (name) } div.track { (track) } }
}

/// A place on a track.
pub(super) fn left(percent: f64) -> String {
    format!("left:{percent:.3}%")
}

/// A time as people read it.
pub(super) fn seconds(t_ns: u64) -> String {
    let seconds = t_ns as f64 / 1e9;
    let digits = if seconds < 100.0 { 3 } else { 1 };
    let text = format!("{seconds:.digits$}");
    format!("{} s", text.trim_end_matches('0').trim_end_matches('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scale_has_round_times_and_the_end() {
        assert_eq!(Axis::new(12_300_000_000).ticks(), [0.0, 5.0, 10.0, 12.3]);
        assert_eq!(Axis::new(2_000_000_000).ticks(), [0.0, 0.5, 1.0, 1.5, 2.0]);
        // Where a round time would cover the end, it is left out.
        assert_eq!(Axis::new(10_100_000_000).ticks(), [0.0, 5.0, 10.1]);
        assert!(Axis::new(0).ticks().len() < 10);
    }

    #[test]
    fn moments_are_shares_of_the_width() {
        assert_eq!(Axis::new(4_000).percent(1_000), 25.0);
        assert_eq!(Axis::new(4_000).percent(9_000), 100.0);
        assert_eq!(seconds(1_500_000_000), "1.5 s");
        assert_eq!(seconds(0), "0 s");
    }
}
