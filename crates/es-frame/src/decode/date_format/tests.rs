//! Formats of dates: which are read, as what, and which are refused.

use jiff::Timestamp;
use proptest::prelude::*;

use super::*;

fn read(format: &str, text: &str) -> Option<String> {
    let formats = Formats::parse(format, None).unwrap();
    let instant = formats.read(text, 1_000_000_000)?;
    Some(Timestamp::from_nanosecond(instant.into()).unwrap().to_string())
}

#[test]
fn built_in_formats_are_read() {
    let day = "2013-02-03T00:00:00Z";
    let time = "2013-02-03T04:05:06Z";
    let millis = "2013-02-03T04:05:06.789Z";
    let table = [
        (DATE, "2013-02-03", day),
        (DATE, "2013", "2013-01-01T00:00:00Z"),
        (DATE, "2013-02", "2013-02-01T00:00:00Z"),
        (DATE, "2013-02-03T", day),
        (DATE, "2013-02-03T04", "2013-02-03T04:00:00Z"),
        (DATE, "2013-02-03T04:05:06.789Z", millis),
        (DATE, "2013-02-03T04:05:06,789", millis),
        (DATE, "2013-02-03T05:05:06.789+01:00", millis),
        (DATE, "2013-02-03T05:05:06.789+0100", millis),
        (DATE, "2013-02-03T05:05:06.789+01", millis),
        (DATE, "2013-02-03T05:05:06.789Europe/Rome", millis),
        (DATE, "2013-02-03T04:05:06.789UTC", millis),
        (DATE, "1359864306789", millis),
        (DATE_NANOS, "2013-02-03T04:05:06.123456789Z", "2013-02-03T04:05:06.123456789Z"),
        ("epoch_millis", "1359864306789.123456", "2013-02-03T04:05:06.789123456Z"),
        ("epoch_millis", "-1.5", "1969-12-31T23:59:59.9985Z"),
        ("epoch_second", "1359864306.789", millis),
        ("epoch_second||epoch_millis", "1359864306", time),
        ("date_optional_time", "2013-2-3T4:5:6Z", time),
        ("basic_date", "20130203", day),
        ("basic_date_time", "20130203T040506.789Z", millis),
        ("basic_date_time_no_millis", "20130203T050506+0100", time),
        ("basic_ordinal_date", "2013034", day),
        ("basic_ordinal_date_time", "2013034T040506.789Z", millis),
        ("basic_ordinal_date_time_no_millis", "2013034T040506Z", time),
        ("basic_time", "040506.789Z", "1970-01-01T04:05:06.789Z"),
        ("basic_t_time_no_millis", "T040506Z", "1970-01-01T04:05:06Z"),
        ("basic_week_date", "2013W057", day),
        ("basic_week_date_time", "2013W057T040506.789Z", millis),
        ("date", "2013-02-03", day),
        ("date_hour", "2013-02-03T04", "2013-02-03T04:00:00Z"),
        ("date_hour_minute", "2013-02-03T04:05", "2013-02-03T04:05:00Z"),
        ("date_hour_minute_second", "2013-02-03T04:05:06", time),
        ("date_hour_minute_second_fraction", "2013-02-03T04:05:06.789", millis),
        ("date_time", "2013-02-03T04:05:06.789Z", millis),
        ("date_time_no_millis", "2013-02-03T04:05:06Z", time),
        ("hour", "04", "1970-01-01T04:00:00Z"),
        ("hour_minute", "04:05", "1970-01-01T04:05:00Z"),
        ("ordinal_date", "2013-034", day),
        ("ordinal_date_time", "2013-034T04:05:06.789Z", millis),
        ("time", "04:05:06.789Z", "1970-01-01T04:05:06.789Z"),
        ("t_time_no_millis", "T04:05:06Z", "1970-01-01T04:05:06Z"),
        ("week_date", "2013-W05-7", day),
        ("week_date_time_no_millis", "2013-W05-7T04:05:06Z", time),
        ("strict_week_date", "2015-W53-7", "2016-01-03T00:00:00Z"),
        ("year", "2013", "2013-01-01T00:00:00Z"),
        ("year_month", "2013-02", "2013-02-01T00:00:00Z"),
        ("strict_year_month_day", "2013-02-03", day),
    ];
    for (format, text, expected) in table {
        assert_eq!(read(format, text).as_deref(), Some(expected), "{format} {text}");
    }
}

#[test]
fn patterns_are_read() {
    let day = "2013-02-03T00:00:00Z";
    let time = "2013-02-03T04:05:06Z";
    let table = [
        ("yyyy-MM-dd HH:mm:ss", "2013-02-03 04:05:06", time),
        ("yyyy-MM-dd HH:mm:ss||dd/MM/yyyy", "03/02/2013", day),
        ("dd/MM/yyyy||MM/dd/yyyy", "03/02/2013", day),
        ("dd/MM/yyyy||MM/dd/yyyy", "02/13/2013", "2013-02-13T00:00:00Z"),
        ("d.M.uuuu", "3.2.2013", day),
        ("dd MMM yyyy", "03 Feb 2013", day),
        ("EEEE, d MMMM yyyy", "Sunday, 3 February 2013", day),
        ("yyyyMMddHHmmssSSS", "20130203040506000", time),
        ("yyyy-MM-dd'T'HH:mm:ss.SSSXXX", "2013-02-03T05:05:06.000+01:00", time),
        ("yyyy-MM-dd HH:mm:ss Z", "2013-02-03 05:05:06 +0100", time),
        ("dd/MMM/yyyy:HH:mm:ss Z", "03/Feb/2013:04:05:06 +0000", time),
        ("MM/dd/yyyy hh:mm:ss a", "02/03/2013 04:05:06 AM", time),
        ("MM/dd/yyyy hh:mm a", "02/03/2013 12:05 PM", "2013-02-03T12:05:00Z"),
        ("yy-MM-dd", "13-02-03", day),
        ("yyyy.MM.dd['T'HH:mm]", "2013.02.03", day),
        ("yyyy.MM.dd['T'HH:mm", "2013.02.03T04:05", "2013-02-03T04:05:00Z"),
        ("yyyy 'o''clock' MM dd", "2013 o'clock 02 03", day),
        ("8yyyy-MM-dd", "2013-02-03", day),
        ("yyyy-MM-dd HH:mm VV", "2013-02-03 05:05 Europe/Rome", "2013-02-03T04:05:00Z"),
        ("yyyy-DDD", "2013-034", day),
        ("yyyy", "2013", "2013-01-01T00:00:00Z"),
        ("yyyy-MM", "2013-02", "2013-02-01T00:00:00Z"),
    ];
    for (format, text, expected) in table {
        assert_eq!(read(format, text).as_deref(), Some(expected), "{format} {text}");
    }
}

#[test]
fn what_is_no_date_of_the_format_is_none() {
    let table = [
        (DATE, "soon"),
        (DATE, "2013-02-30"),
        (DATE, "2013-02-03T24:00:00Z"),
        (DATE, "2013-2-3"),
        (DATE, "2013-02-03 04:05:06"),
        ("yyyy-MM-dd", "2013-02-03x"),
        ("yyyy-MM-dd", "13-02-03"),
        ("yyyy-MM-dd", "12013-02-03"),
        ("EEE yyyy-MM-dd", "Mon 2013-02-03"),
        ("strict_week_date", "2013-W53-1"),
        ("basic_ordinal_date", "2013366"),
        ("epoch_second", "1.0000000001"),
        ("epoch_millis", "1e5"),
        ("yyyy-MM-dd HH:mm VV", "2013-02-03 05:05 Europe/Nowhere"),
    ];
    for (format, text) in table {
        assert_eq!(read(format, text), None, "{format} {text}");
    }
}

#[test]
fn formats_that_could_be_read_otherwise_are_refused() {
    for (format, why) in [
        ("weekyear_week_day", "weeks begin on a day"),
        ("yyyy-MM-dd||YYYY-'W'ww", "it has YYYY in it"),
        ("yyyy-MM-dd z", "it has z in it"),
        ("yyyy-MM-dd G", "it has G in it"),
        ("hh:mm yyyy-MM-dd", "need each other"),
        ("yyyy HH", "a year and no month"),
        ("dd MMM", "no year"),
        ("yyyy-MM-dd mm", "without hours"),
        ("yyyy-MM-dd'T", "a quote has no end"),
        ("yyyy]", "closes nothing"),
        ("dateOptionalTime", "in it"),
        ("", ""),
    ] {
        match Formats::parse(format, None) {
            Err(error) => assert!(error.contains(why), "{format}: {error}"),
            Ok(_) => assert_eq!(why, "", "{format} is taken"),
        }
    }
    assert!(Formats::parse("dd MMM yyyy", Some("de-DE")).is_err());
    assert!(Formats::parse("dd MMM yyyy", Some("en_US")).is_ok());
    assert!(Formats::parse("dd.MM.yyyy", Some("de")).is_ok());
}

proptest! {
    #[test]
    fn quick_ways_agree_with_the_others(value in -62_167_219_200_000_i64..253_402_300_800_000, cut in 0..30_usize, change in any::<u8>()) {
        let formats = Formats::parse(DATE, None).unwrap();
        let instant = Timestamp::from_millisecond(value).unwrap();
        for text in [format!("{instant:.3}"), format!("{instant:.0}"), format!("{instant:.6}")] {
            let mut bytes = format!("\"{text}\",{:80}", "").into_bytes();
            let expected = formats.read(&text, 1_000);
            let text = String::from_utf8(bytes.clone()).unwrap();
            if let Some((read, length)) = formats.try_read::<1_000>(Window::of(text.as_bytes()).unwrap()) {
                prop_assert_eq!(Some(read), expected);
                prop_assert_eq!(text.as_bytes()[length], b',');
            } else {
                prop_assert!(text.contains(".") && text.trim_end().len() > 27);
            }
            // A text with another byte in it is taken by both ways or by none.
            let length = text.trim_end().len() - 3;
            bytes[1 + cut % length] = change % 128;
            let text = String::from_utf8(bytes).unwrap();
            if let Some((read, _)) = formats.try_read::<1_000>(Window::of(text.as_bytes()).unwrap()) {
                let inner = text.split('"').nth(1).unwrap();
                prop_assert_eq!(Some(read), formats.read(inner, 1_000), "{}", text);
            }
        }
    }

    #[test]
    fn no_text_and_no_format_makes_it_panic(format in "(\\PC|[yMdHms'\\[\\]SXZVEa/:-]){0,20}", text in "(\\PC|[0-9TZ:+-]){0,30}") {
        for formats in [Formats::parse(&format, None), Formats::parse(DATE, None), Formats::parse("week_date||epoch_second", None)].into_iter().flatten() {
            let _ = formats.read(&text, 1_000);
            let _ = formats.read(&text, 1_000_000_000);
        }
    }
}
