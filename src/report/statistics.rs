//! How sure a difference is: medians, ratios and bootstrap intervals, with a fixed seed, so that the
//! same figures always give the same words. What a difference means is not known here.
//!
//! A bootstrap draws samples from the sample itself and looks at how far the statistic wanders
//! (Efron, 1979); the interval leaves out as many resamples below as above. It asks for no shape of
//! the distribution, and latencies have none that has a name.

use fastrand::Rng;

/// Resamples. With them the edges of a 95 % interval wander by about a hundredth of its width, and
/// those of a stricter one still stand on dozens.
const RESAMPLES: usize = 10_000;
const SEED: u64 = 1979;

/// A statistic and where its resamples came to lie.
#[derive(Clone, Debug)]
pub struct Spread {
    /// Of the samples as they are.
    pub value: f64,
    /// Of the resamples, in order.
    resampled: Vec<f64>,
}

impl Spread {
    fn of(value: f64, draw: impl FnMut() -> f64) -> Spread {
        let mut resampled: Vec<f64> = std::iter::repeat_with(draw).take(RESAMPLES).collect();
        resampled.sort_by(f64::total_cmp);
        Spread { value, resampled }
    }

    /// The interval in which the statistic lies with 95 %; where several figures are judged together
    /// the 5 % are shared out among them (Bonferroni), so that all hold at once with 95 %.
    pub fn interval(&self, figures: usize) -> (f64, f64) {
        let outside = self.resampled.len() / 40 / figures.max(1);
        let last = self.resampled.len() - 1;
        (self.resampled[outside], self.resampled[last - outside])
    }

    /// Whether every number of it can be shown and compared.
    pub fn is_finite(&self) -> bool {
        let last = self.resampled.len() - 1;
        let ends = [self.value, self.resampled[0], self.resampled[last]];
        ends.iter().all(|end| end.is_finite())
    }
}

/// The middle of a sample, which is put in another order; NaN if it is empty.
pub fn median(sample: &mut [f64]) -> f64 {
    let middle = sample.len() / 2;
    if sample.is_empty() {
        return f64::NAN;
    }
    let is_even = sample.len().is_multiple_of(2);
    let (below, &mut upper, _) = sample.select_nth_unstable_by(middle, f64::total_cmp);
    match below.iter().copied().max_by(f64::total_cmp) {
        Some(lower) if is_even => f64::midpoint(lower, upper),
        Some(_) | None => upper,
    }
}

/// The median of a sample. None if it is empty.
pub fn middle(sample: &[f64]) -> Option<Spread> {
    if sample.is_empty() {
        return None;
    }
    let mut rng = Rng::with_seed(SEED);
    let mut drawn = sample.to_vec();
    let value = median(&mut drawn);
    Some(Spread::of(value, || {
        drawn.fill_with(|| sample[rng.usize(..sample.len())]);
        median(&mut drawn)
    }))
}

/// The median ratio of pairs that were measured next to each other, `a` divided by `b`. What
/// disturbs both of a pair leaves their ratio alone; that is why pairs are drawn and not halves.
/// None without pairs.
pub fn paired(pairs: &[(f64, f64)]) -> Option<Spread> {
    let ratios: Vec<f64> = pairs.iter().map(|(a, b)| a / b).collect();
    middle(&ratios)
}

/// A statistic of one series divided by that of another, each measured in its own time. None if one
/// is empty.
///
/// Neighbouring seconds of a run are alike: a busy neighbour on the machine, a core that clocks
/// down, a queue that drains last longer than one. Seconds drawn one by one would pretend to be
/// independent, and the interval would be too narrow. So whole blocks of neighbours are drawn (the
/// moving-block bootstrap: Künsch, 1989), and the end of the series is followed by its beginning, so
/// that no second is drawn less often than others (the circular form: Politis and Romano, 1992). A
/// block is as long as the cube root of the series, the usual rate.
///
/// A short series has few blocks, and its resamples are more alike than new runs would be: with `n`
/// seconds in blocks of `l` their variance is about `(n - l) / n` of what it should be, so they are
/// spread out again by as much.
pub fn series<T: Copy>(a: &[T], b: &[T], mut statistic: impl FnMut(&[T]) -> f64) -> Option<Spread> {
    if a.is_empty() || b.is_empty() {
        return None;
    }
    let mut rng = Rng::with_seed(SEED);
    let (mut of_a, mut of_b) = (a.to_vec(), b.to_vec());
    let value = statistic(a) / statistic(b);
    let shorter = a.len().min(b.len());
    let blocks_apart = (shorter - block_length(shorter)).max(1);
    let widening = (shorter as f64 / blocks_apart as f64).sqrt();
    Some(Spread::of(value, || {
        draw_blocks(a, &mut of_a, &mut rng);
        draw_blocks(b, &mut of_b, &mut rng);
        let ratio = statistic(&of_a) / statistic(&of_b);
        value * (ratio / value).powf(widening)
    }))
}

/// Fills `sample` with blocks of neighbours of `series`; both are equally long.
fn draw_blocks<T: Copy>(series: &[T], sample: &mut [T], rng: &mut Rng) {
    for block in sample.chunks_mut(block_length(series.len())) {
        let start = rng.usize(..series.len());
        for (offset, place) in block.iter_mut().enumerate() {
            *place = series[(start + offset) % series.len()];
        }
    }
}

/// The cube root, rounded up.
fn block_length(length: usize) -> usize {
    (1..=length)
        .find(|root| root.saturating_pow(3) >= length)
        .unwrap_or(1)
}
