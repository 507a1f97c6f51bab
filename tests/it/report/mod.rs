//! What every report is made of, looked at from outside: aligned words, pictures and intervals. The reports of
//! `epollo bench` are looked at in `load`.

use epollo::report::plot::{Axis, Line, PICTURE, Plot, Size, WIDE, picture, svg};
use epollo::report::statistics::middle;
use epollo::report::table::{aligned, named, row};
use epollo::report::units;

fn plot(lines: Vec<Line>, y: Axis) -> Plot {
    Plot {
        x: |size, end| Axis::linear("connections", end, size.labels, units::round),
        x_end: 20.0,
        y,
        lines,
    }
}

fn line(name: &str, points: &[(f64, f64)]) -> Line {
    Line {
        name: name.to_owned(),
        pieces: vec![points.to_vec()],
    }
}

#[test]
fn columns_are_as_wide_as_their_widest_cell_and_no_line_ends_in_spaces() {
    let rows = [row(["", "µs", ""]), row(["a name", "1", ""])];
    assert_eq!(aligned(&rows), "        µs\na name   1\n");
    let lines = [("seeds", "4".to_owned()), ("", "more".to_owned())];
    assert_eq!(named(7, &lines), "seeds    4\n         more\n");
}

#[test]
fn a_picture_names_its_lines_and_a_page_does_it_itself() {
    let points = [(1.0, 10.0), (20.0, 30.0)];
    let axis = Axis::linear("time", 30.0, 6.0, units::time);
    let plot = plot(vec![line("one", &points), line("other", &points)], axis);
    let shown = picture("Two servers", &plot, PICTURE).unwrap();
    let inline = svg(&plot, WIDE).unwrap();
    for words in ["Two servers", "one", "other"] {
        let words = format!("\n{words}\n");
        assert!(shown.contains(&words), "no {words:?} in {shown}");
        assert!(!inline.contains(&words), "{words:?} in {inline}");
    }
    // Two points and a place in the legend; the other line has another mark.
    assert_eq!(shown.matches("<circle").count(), 3, "{shown}");
    assert_eq!(inline.matches("<circle").count(), 4, "{inline}");
}

#[test]
fn bars_begin_at_zero_and_lie_in_the_row_of_their_name() {
    let names = ["long", "short"].map(str::to_owned);
    let bars = Line {
        name: "bars".to_owned(),
        pieces: vec![vec![(0.0, 0.5), (10.0, 0.5)], vec![(0.0, 1.5), (20.0, 1.5)]],
    };
    let plot = plot(vec![bars], Axis::names("", &names));
    let shown = picture("Bars", &plot, Size::bars(2)).unwrap();
    let ends = |line: &str| {
        let (_, points) = line.split_once("points=\"")?;
        let (points, _) = points.split_once(" \"")?;
        let numbers = points.split([',', ' ']).map(str::parse::<i32>);
        numbers.collect::<Result<Vec<_>, _>>().ok()
    };
    let bars = shown
        .lines()
        .filter(|line| line.contains("stroke-width=\"24\""));
    let bars: Vec<Vec<i32>> = bars.filter_map(ends).collect();
    let [[from, low, short, _], [same, high, long, _]] =
        [&*bars[0], &*bars[1]].map(|bar| <[i32; 4]>::try_from(bar).unwrap());
    assert_eq!(from, same, "{bars:?}");
    assert!((2 * (short - from) - (long - from)).abs() <= 1, "{bars:?}");
    for (name, y) in [("long", high), ("short", low)] {
        let (before, _) = shown.split_once(&format!("\n{name}\n")).unwrap();
        let (_, place) = before.rsplit_once(" y=\"").unwrap();
        let (place, _) = place.split_once('"').unwrap();
        assert_eq!(place.parse::<i32>(), Ok(y), "{name} in {shown}");
    }
}

#[test]
fn the_middle_of_a_sample_lies_in_its_interval() {
    assert!(middle(&[]).is_none());
    let alone = middle(&[7.0]).unwrap();
    assert_eq!((alone.value, alone.interval(1)), (7.0, (7.0, 7.0)));
    let sample = middle(&[4.0, 1.0, 3.0, 2.0]).unwrap();
    let (low, high) = sample.interval(1);
    assert_eq!(sample.value, 2.5);
    assert!(low < 2.5 && high > 2.5, "{low} to {high}");
}
