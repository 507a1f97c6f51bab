//! Plots as SVG: lines over an axis, or bars. Colours that colour-blind people tell apart (Okabe and
//! Ito), and a mark of its own for every line.

use plotters::coord::ranged1d::ValueFormatter;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::Result;

const WIDTH: u32 = 1_020;
/// Of it, what the legend has at the right.
const LEGEND_WIDTH: u32 = 290;
const HEIGHT: u32 = 540;
const FONT: &str = "sans-serif";
const COLOURS: [RGBColor; 7] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(86, 180, 233),
    RGBColor(230, 159, 0),
    RGBColor(80, 80, 80),
];

/// Lines with what they are called.
pub(crate) type Lines = Vec<(String, Vec<(f64, f64)>)>;

/// A plot of lines.
#[derive(Debug)]
pub(crate) struct Plot<'a> {
    pub(crate) title: &'a str,
    /// With its unit.
    pub(crate) x: &'a str,
    pub(crate) y: &'a str,
    pub(crate) scale: Scale,
}

/// How the axes run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scale {
    /// Both from 0.
    Linear,
    /// x by powers of ten, y from 0.
    LogX,
    /// Both by powers of ten.
    LogBoth,
}

type Error<'a> = DrawingAreaErrorKind<<SVGBackend<'a> as DrawingBackend>::ErrorType>;
type Done<'a> = std::result::Result<(), Error<'a>>;

impl Plot<'_> {
    /// Draws the lines.
    pub(crate) fn draw(&self, lines: &Lines) -> Result<String> {
        let mut svg = String::new();
        self.draw_into(lines, &mut svg)
            .map_err(|error| error.to_string())?;
        Ok(svg)
    }

    fn draw_into<'a>(&self, lines: &Lines, svg: &'a mut String) -> Done<'a> {
        let area = SVGBackend::with_string(svg, (WIDTH, HEIGHT)).into_drawing_area();
        area.fill(&WHITE)?;
        let (whole, legend) = area.split_horizontally(WIDTH - LEGEND_WIDTH);
        draw_legend(&legend, lines)?;
        let points = || lines.iter().flat_map(|(_, points)| points.iter().copied());
        let x_last = points().map(|(x, _)| x).fold(1.0, f64::max);
        let y_last = points().map(|(_, y)| y).fold(f64::MIN_POSITIVE, f64::max);
        let y_first = points().map(|(_, y)| y).fold(f64::INFINITY, f64::min);
        let mut builder = ChartBuilder::on(&whole);
        builder
            .caption(self.title, (FONT, 22))
            .margin(14)
            .margin_right(30);
        builder.x_label_area_size(48).y_label_area_size(72);
        let (x, y) = (0.0..x_last * 1.05, 0.0..y_last * 1.1);
        let log_x = (0.8..x_last * 1.6).log_scale();
        let log_y = (y_first * 0.7..y_last * 1.4).log_scale();
        match self.scale {
            Scale::Linear => self.fill(&mut builder.build_cartesian_2d(x, y)?, lines)?,
            Scale::LogX => self.fill(&mut builder.build_cartesian_2d(log_x, y)?, lines)?,
            Scale::LogBoth => self.fill(&mut builder.build_cartesian_2d(log_x, log_y)?, lines)?,
        }
        area.present()
    }

    fn fill<'a, X, Y>(&self, chart: &mut Chart<'a, X, Y>, lines: &Lines) -> Done<'a>
    where
        X: Ranged<ValueType = f64> + ValueFormatter<f64>,
        Y: Ranged<ValueType = f64> + ValueFormatter<f64>,
    {
        let mut mesh = chart.configure_mesh();
        mesh.x_desc(self.x)
            .y_desc(self.y)
            .axis_desc_style((FONT, 17))
            .label_style((FONT, 14));
        mesh.light_line_style(RGBColor(240, 240, 240))
            .bold_line_style(RGBColor(215, 215, 215))
            .max_light_lines(5);
        mesh.x_label_formatter(&|value| thousands(*value));
        mesh.y_label_formatter(&|value| thousands(*value)).draw()?;
        for (index, (_, points)) in lines.iter().enumerate() {
            let colour = COLOURS[index % COLOURS.len()];
            let line = LineSeries::new(points.iter().copied(), colour.stroke_width(2));
            chart.draw_series(line)?;
            let marks = points
                .iter()
                .map(|&at| EmptyElement::at(at) + mark(index, (0, 0), colour));
            chart.draw_series(marks)?;
        }
        Ok(())
    }
}

type Chart<'a, X, Y> = ChartContext<'a, SVGBackend<'a>, Cartesian2d<X, Y>>;
type Area<'a> = DrawingArea<SVGBackend<'a>, plotters::coord::Shift>;

/// Every line with its mark and its name, beside the plot.
fn draw_legend<'a>(area: &Area<'a>, lines: &Lines) -> Done<'a> {
    for ((index, (name, _)), y) in lines.iter().enumerate().zip((60..).step_by(26)) {
        let colour = COLOURS[index % COLOURS.len()];
        area.draw(&PathElement::new([(0, y), (30, y)], colour.stroke_width(2)))?;
        area.draw(&mark(index, (15, y), colour))?;
        let style = (FONT, 15).into_font().color(&BLACK);
        let style = style.pos(Pos::new(HPos::Left, VPos::Center));
        area.draw(&Text::new(name.clone(), (38, y), style))?;
    }
    Ok(())
}

/// The corners of a plus.
const PLUS: [(i32, i32); 12] = [
    (-2, -6),
    (2, -6),
    (2, -2),
    (6, -2),
    (6, 2),
    (2, 2),
    (2, 6),
    (-2, 6),
    (-2, 2),
    (-6, 2),
    (-6, -2),
    (-2, -2),
];

/// A disc, a square, a triangle, a diamond, a triangle on its tip, or a plus.
fn mark(index: usize, (x, y): (i32, i32), colour: RGBColor) -> Polygon<(i32, i32)> {
    let corners: &[(i32, i32)] = match index % 6 {
        0 => &[
            (-5, -2),
            (-2, -5),
            (2, -5),
            (5, -2),
            (5, 2),
            (2, 5),
            (-2, 5),
            (-5, 2),
        ],
        1 => &[(-4, -4), (4, -4), (4, 4), (-4, 4)],
        2 => &[(0, -6), (6, 4), (-6, 4)],
        3 => &[(0, -6), (6, 0), (0, 6), (-6, 0)],
        4 => &[(0, 6), (6, -4), (-6, -4)],
        _ => &PLUS,
    };
    let corners: Vec<_> = corners.iter().map(|&(dx, dy)| (x + dx, y + dy)).collect();
    Polygon::new(corners, colour.filled())
}

/// 12345.6 as 12,346; small values with what they have behind the point.
fn thousands(value: f64) -> String {
    if value < 10.0 {
        return format!("{}", (value * 100.0).round() / 100.0);
    }
    if value < 100.0 {
        return format!("{}", (value * 10.0).round() / 10.0);
    }
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Bars that lie, the longest is the largest; each with its figure behind it.
pub(crate) fn bars(title: &str, x: &str, bars: &[(String, f64)]) -> Result<String> {
    let mut svg = String::new();
    draw_bars(title, x, bars, &mut svg).map_err(|error| error.to_string())?;
    Ok(svg)
}

fn draw_bars<'a>(title: &str, x: &str, bars: &[(String, f64)], svg: &'a mut String) -> Done<'a> {
    let count = i32::try_from(bars.len()).unwrap_or(i32::MAX);
    let area = SVGBackend::with_string(svg, (WIDTH, 110 + 40 * count.unsigned_abs()));
    let area = area.into_drawing_area();
    area.fill(&WHITE)?;
    let last = bars
        .iter()
        .map(|(_, value)| *value)
        .fold(f64::MIN_POSITIVE, f64::max);
    let mut builder = ChartBuilder::on(&area);
    builder
        .caption(title, (FONT, 22))
        .margin(14)
        .margin_right(30);
    builder.x_label_area_size(48).y_label_area_size(130);
    let rows = (0..count - 1).into_segmented();
    let mut chart = builder.build_cartesian_2d(0.0..last * 1.15, rows)?;
    let name = |row: &SegmentValue<i32>| match row {
        SegmentValue::CenterOf(row) => {
            let bar = usize::try_from(count - 1 - row)
                .ok()
                .and_then(|row| bars.get(row));
            bar.map_or_else(String::new, |(name, _)| name.clone())
        }
        SegmentValue::Exact(_) | SegmentValue::Last => String::new(),
    };
    let mut mesh = chart.configure_mesh();
    mesh.disable_y_mesh()
        .x_desc(x)
        .axis_desc_style((FONT, 17))
        .label_style((FONT, 15));
    mesh.light_line_style(WHITE).y_labels(bars.len());
    mesh.x_label_formatter(&|value| thousands(*value))
        .y_label_formatter(&name)
        .draw()?;
    for (row, (_, value)) in (0..count).rev().zip(bars) {
        let corners = [
            (0.0, SegmentValue::Exact(row)),
            (*value, SegmentValue::Exact(row + 1)),
        ];
        let mut bar = Rectangle::new(corners, COLOURS[0].filled());
        bar.set_margin(7, 7, 0, 0);
        let style = (FONT, 15).into_font().color(&BLACK);
        let style = style.pos(Pos::new(HPos::Left, VPos::Center));
        let behind = (*value + last * 0.008, SegmentValue::CenterOf(row));
        let figure = Text::new(thousands(*value), behind, style);
        chart.draw_series([bar])?;
        chart.draw_series([figure])?;
    }
    area.present()
}
