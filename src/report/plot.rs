//! Lines over two axes as SVG, drawn by plotters: inline in a page, or a picture that stands alone. In a
//! page the colours are names in disguise: its style sheet replaces each by the one of its light or dark
//! theme. What the lines mean is not known here.

use std::ops::Range;

use plotters::coord::Shift;
use plotters::coord::ranged1d::{KeyPointHint, NoDefaultFormatting, Ranged, ValueFormatter};
use plotters::coord::types::RangedCoordf64;
use plotters::prelude::{
    ChartBuilder, Circle, Cross, DrawingArea, DynElement, IntoDrawingArea, IntoDynElement,
    IntoFont, LineSeries, PathElement, RGBColor, SVGBackend, TRANSPARENT, Text, TriangleMarker,
    WHITE,
};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{Color, TextStyle};

use super::units;

/// What the lines of a plot are drawn in, one after the other: colours that colour-blind people tell apart,
/// most of them of Okabe and Ito. `page.css` knows the first three.
const COLOURS: [RGBColor; 7] = [
    RGBColor(0x00, 0x72, 0xb2),
    RGBColor(0xd5, 0x5e, 0x00),
    RGBColor(0x8a, 0x5a, 0x9e),
    RGBColor(0x00, 0x9e, 0x73),
    RGBColor(0x56, 0xb4, 0xe9),
    RGBColor(0xe6, 0x9f, 0x00),
    RGBColor(0x50, 0x50, 0x50),
];
const GRID: RGBColor = RGBColor(0xdd, 0xdd, 0xdd);
const AXIS: RGBColor = RGBColor(0x88, 0x88, 0x88);
const LABEL: RGBColor = RGBColor(0x44, 0x44, 0x44);

/// plotters makes letters smaller than asked for, by this factor.
const FONT_SCALE: f64 = 1.24;
const FONT_PIXELS: f64 = 13.0;
/// Up to so many points are marked; more are a line that needs no marks.
const MARKED_POINTS_MAX: usize = 40;
/// What the names of the lines take of a picture, at its right.
const LEGEND_WIDTH: u32 = 290;

/// How large it is drawn, and with what; a page shows the one that fits.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    width: u32,
    height: u32,
    /// Labels on the horizontal axis.
    pub labels: f64,
    /// What the labels of the vertical axis take of the width.
    beside: u32,
    /// How thick lines are.
    stroke: u32,
    /// Points of different lines are marked differently, up to so many.
    marks: usize,
}

/// A plot as wide as the page.
pub const WIDE: Size = Size {
    width: 800,
    height: 320,
    labels: 12.0,
    beside: 74,
    stroke: 2,
    marks: 1,
};
/// For a telephone held upright.
pub const NARROW: Size = Size {
    width: 360,
    height: 280,
    labels: 5.0,
    ..WIDE
};
/// A picture that stands alone.
pub const PICTURE: Size = Size {
    width: 1_020,
    height: 540,
    marks: 6,
    ..WIDE
};

impl Size {
    /// A picture of bars: of lines from 0 to a figure, one below the other.
    pub fn bars(count: u32) -> Size {
        Size {
            height: 110 + 40 * count,
            beside: 190,
            stroke: 24,
            marks: 0,
            ..PICTURE
        }
    }
}

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
    /// As the legend calls it.
    pub name: String,
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
        let labels = places.map(|place| (place, label(place)));
        Axis::from_zero(title, end, labels.collect())
    }

    /// From below the lowest to above the highest, by powers of ten; below 1 nothing has a place.
    pub fn logarithmic(title: &str, lowest: f64, highest: f64, label: fn(f64) -> String) -> Axis {
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
            labels: labels.map(|place| (place.log10(), label(place))).collect(),
            is_logarithmic: true,
        }
    }

    /// Names, the first at the top, each with a row of the height 1 around it.
    pub fn names(title: &str, names: &[String]) -> Axis {
        let places = (0..names.len()).rev().map(|row| row as f64 + 0.5);
        let labels = places.zip(names.iter().cloned());
        Axis::from_zero(title, names.len() as f64, labels.collect())
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
        Axis::from_zero("percentile (%)", end, labels)
    }

    /// From 0 to `end`, with these labels.
    fn from_zero(title: &str, end: f64, labels: Vec<(f64, String)>) -> Axis {
        Axis {
            title: title.to_owned(),
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

/// Draws it for a page.
///
/// # Errors
/// What plotters has to say, which nothing known leads to.
pub fn svg(plot: &Plot, size: Size) -> Result<String, String> {
    drawn(size, |area| draw(plot, size, area))
}

/// Draws it as a picture on white: below its title, beside the names of its lines if there are several.
///
/// # Errors
/// What plotters has to say, which nothing known leads to.
pub fn picture(title: &str, plot: &Plot, size: Size) -> Result<String, String> {
    drawn(size, |area| {
        area.fill(&WHITE)?;
        let area = area.titled(title, text(18.0))?;
        if plot.lines.len() < 2 {
            return draw(plot, size, &area);
        }
        let (area, legend) = area.split_horizontally(size.width - LEGEND_WIDTH);
        draw_legend(plot, size, &legend)?;
        draw(plot, size, &area)
    })
}

type Done = Result<(), Box<dyn std::error::Error>>;
type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

fn drawn(size: Size, draw: impl FnOnce(&Area<'_>) -> Done) -> Result<String, String> {
    let mut svg = String::new();
    let backend = SVGBackend::with_string(&mut svg, (size.width, size.height));
    let area = backend.into_drawing_area();
    let done = draw(&area).and_then(|()| Ok(area.present()?));
    drop(area);
    done.map_err(|error| error.to_string())?;
    Ok(svg)
}

fn text(pixels: f64) -> TextStyle<'static> {
    let font = ("sans-serif", pixels * FONT_SCALE).into_font();
    TextStyle::from(font).color(&LABEL)
}

fn draw(plot: &Plot, size: Size, area: &Area<'_>) -> Done {
    let (x, y) = ((plot.x)(&size, plot.x_end), &plot.y);
    let mut chart = ChartBuilder::on(area)
        .margin(6)
        .margin_right(26)
        .x_label_area_size(44)
        .y_label_area_size(size.beside)
        .build_cartesian_2d(x.clone(), y.clone())?;
    let style = text(FONT_PIXELS);
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
    for (index, line) in plot.lines.iter().enumerate() {
        let stroke = COLOURS[index % COLOURS.len()].stroke_width(size.stroke);
        let count: usize = line.pieces.iter().map(Vec::len).sum();
        for piece in &line.pieces {
            let points = piece
                .iter()
                .map(|&(at, value)| (x.place(at), y.place(value)));
            chart.draw_series(LineSeries::new(points.clone(), stroke))?;
            if size.marks > 0 && (count <= MARKED_POINTS_MAX || piece.len() == 1) {
                chart.draw_series(points.map(|at| mark(index, size, at)))?;
            }
        }
    }
    Ok(())
}

/// Every line with its mark and its name, one below the other.
fn draw_legend(plot: &Plot, size: Size, area: &Area<'_>) -> Done {
    let style = text(FONT_PIXELS).pos(Pos::new(HPos::Left, VPos::Center));
    for ((index, line), y) in plot.lines.iter().enumerate().zip((20..).step_by(26)) {
        let stroke = COLOURS[index % COLOURS.len()].stroke_width(size.stroke);
        area.draw(&PathElement::new([(0, y), (30, y)], stroke))?;
        area.draw(&mark(index, size, (15, y)))?;
        area.draw(&Text::new(line.name.as_str(), (38, y), style.clone()))?;
    }
    Ok(())
}

/// A dot, a cross, a triangle, a circle, a disc or a bold cross.
fn mark<'a, At: Clone + 'static>(
    index: usize,
    size: Size,
    at: At,
) -> DynElement<'static, SVGBackend<'a>, At> {
    let colour = COLOURS[index % COLOURS.len()];
    let (filled, line) = (colour.filled(), colour.stroke_width(size.stroke));
    match index % size.marks.max(1) {
        0 => Circle::new(at, 3, filled).into_dyn(),
        1 => Cross::new(at, 5, line).into_dyn(),
        2 => TriangleMarker::new(at, 6, filled).into_dyn(),
        3 => Circle::new(at, 5, line).into_dyn(),
        4 => Circle::new(at, 6, filled).into_dyn(),
        _ => Cross::new(at, 4, colour.stroke_width(3 * size.stroke)).into_dyn(),
    }
}

/// An axis of seconds.
pub fn seconds(size: &Size, end: f64) -> Axis {
    Axis::linear("seconds", end, size.labels, units::round)
}
