//! Lines over two axes as inline SVG, drawn by plotters. The colours are names in disguise: the
//! page's style sheet replaces each by the one of its light or dark theme. What the lines mean is not
//! known here.

use std::ops::Range;

use plotters::coord::ranged1d::{KeyPointHint, NoDefaultFormatting, Ranged, ValueFormatter};
use plotters::coord::types::RangedCoordf64;
use plotters::prelude::{
    ChartBuilder, Circle, IntoDrawingArea, IntoFont, LineSeries, RGBColor, SVGBackend, TRANSPARENT,
};
use plotters::style::{Color, IntoTextStyle, TextStyle};

use super::units;

/// What a plot is drawn in; `page.css` knows them too.
pub const FIRST: RGBColor = RGBColor(0x00, 0x72, 0xb2);
/// The colour of a second line.
pub const SECOND: RGBColor = RGBColor(0xd5, 0x5e, 0x00);
/// The colour of a third line.
pub const THIRD: RGBColor = RGBColor(0x8a, 0x5a, 0x9e);
const GRID: RGBColor = RGBColor(0xdd, 0xdd, 0xdd);
const AXIS: RGBColor = RGBColor(0x88, 0x88, 0x88);
const LABEL: RGBColor = RGBColor(0x44, 0x44, 0x44);

/// plotters makes letters smaller than asked for, by this factor.
const FONT_SCALE: f64 = 1.24;
const FONT_PIXELS: f64 = 13.0;
/// Up to so many points are marked; more are a line that needs no marks.
const MARKED_POINTS_MAX: usize = 40;

/// How large it is drawn; a page shows the one that fits.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    width: u32,
    height: u32,
    /// Labels on the horizontal axis.
    labels: f64,
}

/// A plot as wide as the page.
pub const WIDE: Size = Size {
    width: 800,
    height: 320,
    labels: 12.0,
};
/// For a telephone held upright.
pub const NARROW: Size = Size {
    width: 360,
    height: 280,
    labels: 5.0,
};

/// A plot that is yet to be drawn.
pub struct Plot {
    /// Its horizontal axis, once it is known how large it is drawn.
    pub x: fn(&Size, f64) -> Axis,
    /// Where the horizontal axis ends.
    pub x_end: f64,
    /// Its vertical axis.
    pub y: Axis,
    /// What is drawn.
    pub lines: Vec<Line>,
}

/// Points in order; a gap ends one piece and begins the next.
pub struct Line {
    /// What it is drawn in.
    pub colour: RGBColor,
    /// Points that are joined; between two pieces there is a gap.
    pub pieces: Vec<Vec<(f64, f64)>>,
}

/// From where to where, and what is written at which places.
#[derive(Clone, Debug)]
pub struct Axis {
    title: String,
    start: f64,
    end: f64,
    labels: Vec<(f64, String)>,
    is_logarithmic: bool,
}

impl Axis {
    /// From 0 up to at least `end`, with about `count` labels.
    pub fn linear(title: &str, end: f64, count: f64, label: fn(f64) -> String) -> Axis {
        let end = if end > 0.0 { end } else { 1.0 };
        let rough = end / count;
        let power = 10_f64.powf(rough.log10().floor());
        let steps = [1.0, 2.0, 5.0, 10.0].map(|factor| factor * power);
        let step = steps.into_iter().find(|step| *step >= rough * 0.999);
        let step = step.unwrap_or(end);
        let places = std::iter::successors(Some(0.0), |place| Some(place + step));
        let places = places.take_while(|place| *place <= end * 1.001);
        Axis {
            title: title.to_owned(),
            start: 0.0,
            end,
            labels: places.map(|place| (place, label(place))).collect(),
            is_logarithmic: false,
        }
    }

    /// Times in nanoseconds, from below the lowest to above the highest, by powers of ten.
    pub fn logarithmic(title: &str, lowest: f64, highest: f64) -> Axis {
        let (lowest, highest) = (lowest.max(1.0), highest.max(2.0));
        let first = lowest.log10().floor();
        let decades = std::iter::successors(Some(first), |power| Some(power + 1.0));
        let decades = decades.take_while(|power| *power <= highest.log10() + 1.0);
        let factors: &[f64] = match highest / lowest {
            ..2_000.0 => &[1.0, 2.0, 5.0],
            _ => &[1.0],
        };
        let places = decades.flat_map(|power| factors.iter().map(move |f| f * 10_f64.powf(power)));
        let places: Vec<f64> = places.collect();
        let start = places.iter().rev().find(|place| **place <= lowest);
        let end = places.iter().find(|place| **place >= highest);
        let (start, end) = (
            start.copied().unwrap_or(lowest),
            end.copied().unwrap_or(highest),
        );
        let labels = places
            .into_iter()
            .filter(|place| (start..=end).contains(place));
        Axis {
            title: title.to_owned(),
            start: start.log10(),
            end: end.log10(),
            labels: labels
                .map(|place| (place.log10(), units::round_time(place)))
                .collect(),
            is_logarithmic: true,
        }
    }

    /// Percentiles by how few are above: as far from 90 to 99 % as from 99 to 99.9 %. Its places are
    /// those of [`place_of_percentile`].
    pub fn percentiles(size: &Size, end: f64) -> Axis {
        let names = ["90", "99", "99.9", "99.99", "99.999", "99.9999"];
        let nines = names.into_iter().enumerate();
        let mut labels = vec![(place_of_percentile(50.0), "50".to_owned())];
        labels.extend(nines.map(|(nines, name)| (nines as f64 + 1.0, name.to_owned())));
        labels.retain(|(place, _)| *place <= end * 1.001);
        // Long names next to each other would touch.
        while labels.len() as f64 > size.labels {
            labels.remove(labels.len() - 2);
        }
        Axis {
            title: "percentile (%)".to_owned(),
            start: 0.0,
            end,
            labels,
            is_logarithmic: false,
        }
    }

    /// Where on the axis a value stands.
    fn place(&self, value: f64) -> f64 {
        if self.is_logarithmic {
            value.max(1.0).log10()
        } else {
            value
        }
    }
}

impl Ranged for Axis {
    type FormatOption = NoDefaultFormatting;
    type ValueType = f64;

    fn map(&self, place: &f64, pixels: (i32, i32)) -> i32 {
        RangedCoordf64::from(self.range()).map(place, pixels)
    }

    fn key_points<Hint: KeyPointHint>(&self, _hint: Hint) -> Vec<f64> {
        self.labels.iter().map(|(place, _)| *place).collect()
    }

    fn range(&self) -> Range<f64> {
        self.start..self.end
    }
}

impl ValueFormatter<f64> for Axis {
    fn format_ext(&self, place: &f64) -> String {
        let label = self.labels.iter().find(|(known, _)| known == place);
        label.map(|(_, label)| label.clone()).unwrap_or_default()
    }
}

/// Where a percentile stands on its axis; 100 has no place.
pub fn place_of_percentile(percentile: f64) -> f64 {
    -(1.0 - percentile / 100.0).log10()
}

/// Draws it.
///
/// # Errors
/// What plotters has to say, which nothing known leads to.
pub fn svg(plot: &Plot, size: Size) -> Result<String, String> {
    let mut text = String::new();
    let backend = SVGBackend::with_string(&mut text, (size.width, size.height));
    draw(plot, size, backend).map_err(|error| error.to_string())?;
    Ok(text)
}

fn draw(
    plot: &Plot,
    size: Size,
    backend: SVGBackend<'_>,
) -> Result<(), Box<dyn std::error::Error>> {
    let (x, y) = ((plot.x)(&size, plot.x_end), &plot.y);
    let area = backend.into_drawing_area();
    let mut chart = ChartBuilder::on(&area)
        .margin(6)
        .margin_right(26)
        .x_label_area_size(44)
        .y_label_area_size(74)
        .build_cartesian_2d(x.clone(), y.clone())?;
    let style: TextStyle<'_> = ("sans-serif", FONT_PIXELS * FONT_SCALE)
        .into_font()
        .color(&LABEL)
        .into_text_style(&area);
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(GRID)
        .axis_style(AXIS)
        .label_style(style.clone())
        .axis_desc_style(style)
        .x_desc(x.title.clone())
        .y_desc(y.title.clone())
        .draw()?;
    for line in &plot.lines {
        let count: usize = line.pieces.iter().map(Vec::len).sum();
        for piece in &line.pieces {
            let points = piece
                .iter()
                .map(|&(at, value)| (x.place(at), y.place(value)));
            chart.draw_series(LineSeries::new(points.clone(), line.colour.stroke_width(2)))?;
            if count <= MARKED_POINTS_MAX || piece.len() == 1 {
                chart.draw_series(points.map(|at| Circle::new(at, 3, line.colour.filled())))?;
            }
        }
    }
    drop(chart);
    area.present()?;
    Ok(())
}

/// An axis of seconds.
pub fn seconds(size: &Size, end: f64) -> Axis {
    Axis::linear("seconds", end, size.labels, units::round)
}
