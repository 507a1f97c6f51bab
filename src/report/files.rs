//! What `epollo bench` leaves for other programs: a line a second as CSV, the distribution as the text
//! that HdrHistogram plotters read. Nothing is written here.

use hdrhistogram::Histogram;

use super::{INTERRUPTED, Report};

/// A header and one line per second; an unknown CPU time is empty.
pub fn csv(report: &Report) -> String {
    let mut text = "seconds,echoes,p50_ns,p99_ns,max_ns,server_cpu_ns\n".to_owned();
    for second in &report.timeline {
        let cpu = second.server_cpu_ns.map(|cpu| cpu.to_string());
        let cells = [
            format!("{:.3}", second.at),
            second.echoes.to_string(),
            second.p50.to_string(),
            second.p99.to_string(),
            second.max.to_string(),
            cpu.unwrap_or_default(),
        ];
        text += &(cells.join(",") + "\n");
    }
    if report.interrupted {
        text += &format!("# {INTERRUPTED}\n");
    }
    text
}

/// Lines of the percentile file for every halving of the distance to 100 %, as is usual.
const TICKS_PER_HALF: u32 = 5;
/// The file is in microseconds, the histogram in nanoseconds.
const SCALE: f64 = 1000.0;

/// A distribution in the percentile format of HdrHistogram's own printers, in microseconds.
pub fn hdr(histogram: &Histogram<u64>) -> String {
    let header = ["Value", "Percentile", "TotalCount", "1/(1-Percentile)"];
    let [value, percentile, total, inverse] = header;
    let mut text = format!("{value:>12} {percentile:>14} {total:>10} {inverse:>14}\n\n");
    let mut total = 0;
    for step in histogram.iter_quantiles(TICKS_PER_HALF) {
        total += step.count_since_last_iteration();
        let value = step.value_iterated_to() as f64 / SCALE;
        let quantile = step.quantile_iterated_to();
        let mut line = format!("{value:>12.3} {quantile:>14.12} {total:>10}");
        // At 100 % it has no value.
        if quantile < 1.0 {
            line += &format!(" {:>14.2}", 1.0 / (1.0 - quantile));
        }
        text += &(line + "\n");
    }
    let (mean, deviation) = match histogram.len() {
        0 => (0.0, 0.0),
        _ => (histogram.mean() / SCALE, histogram.stdev() / SCALE),
    };
    let max = histogram.max() as f64 / SCALE;
    let count = histogram.len();
    let buckets = histogram.buckets();
    let digits = u32::from(histogram.sigfig());
    let sub_buckets = (2 * 10_u64.pow(digits)).next_power_of_two();
    text += &format!("#[Mean    = {mean:>12.3}, StdDeviation   = {deviation:>12.3}]\n");
    text += &format!("#[Max     = {max:>12.3}, Total count    = {count:>12}]\n");
    text += &format!("#[Buckets = {buckets:>12}, SubBuckets     = {sub_buckets:>12}]\n");
    text
}
