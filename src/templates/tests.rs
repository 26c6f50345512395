use super::language::Language;
use super::*;
use crate::domain::invitation::Channel;
use crate::domain::message::{Kind, Payload};

fn locale(tag: &str) -> Locale {
    Locale::parse(tag).unwrap()
}

fn payload() -> Payload {
    Payload {
        to: "alex@example.com".to_owned(),
        name: Some("<b>Alex</b> {{7*7}}".to_owned()),
        username: "alex".to_owned(),
        locale: "en".to_owned(),
        fallback_locale: "en".to_owned(),
        link: Some("https://example.com/set-password#token=inv1_x&y".to_owned()),
        otp: Some("Ab3Cd4".to_owned()),
        otp_url: Some("https://example.com/enter-code".to_owned()),
        expires_in_minutes: Some(1440),
        autofill_host: None,
        sms_from: None,
        email_from: None,
        reply_to: None,
    }
}

/// Subject, text and HTML of the built-in message.
fn said(kind: Kind, tag: &str, payload: &Payload) -> (String, String, String) {
    let template = built_in(kind, &locale(tag)).unwrap();
    match render(kind, &locale(tag), &template, payload).unwrap() {
        Rendered::Email { subject, text, html } => (subject, text, html),
        Rendered::Sms { text } => {
            assert_eq!((&template.subject, &template.html), (&None, &None));
            (String::new(), text, String::new())
        }
    }
}

fn messages() -> impl Iterator<Item = (Kind, &'static str)> {
    let kinds = Kind::ALL.iter().copied().filter(|kind| kind.channel().is_to_people());
    kinds.flat_map(|kind| built_in_locales().map(move |tag| (kind, tag)))
}

#[test]
fn names_are_data_in_every_message() {
    for (kind, tag) in messages().filter(|(kind, _)| kind.channel() == Channel::Email) {
        let (subject, text, html) = said(kind, tag, &payload());
        assert!(html.contains("&lt;b&gt;Alex&lt;&#x2f;b&gt; {{7*7}}"), "{html}");
        assert!(html.contains(&format!("<html lang=\"{tag}\">")), "{html}");
        assert!(text.contains("<b>Alex</b> {{7*7}}"));
        assert!(!subject.is_empty() && !subject.contains('\n'));
    }
}

#[test]
fn every_message_with_a_secret_has_it_and_says_how_long_it_lives() {
    for (kind, tag) in messages().filter(|(kind, _)| kind.carries_secret()) {
        let span = Language::nearest(tag).span(1440);
        let (_, text, html) = said(kind, tag, &payload());
        let secret = if kind.as_str().ends_with("link") { "#token=inv1_x" } else { "Ab3Cd4" };
        for part in [&text, &html].into_iter().filter(|part| !part.is_empty()) {
            assert!(part.contains(secret) && part.contains(&span), "{part}");
        }
        let mut endless = payload();
        endless.expires_in_minutes = None;
        let (_, endless, _) = said(kind, tag, &endless);
        assert!(endless.contains(secret) && !endless.contains(&span), "{endless}");
    }
}

#[test]
fn nothing_is_left_unsaid() {
    for (kind, tag) in messages() {
        let template = built_in(kind, &locale(tag)).unwrap();
        for source in [template.subject, Some(template.text), template.html].into_iter().flatten() {
            assert!(!source.contains("[[") && !source.contains("]]"), "{source}");
            assert!(source.lines().all(|line| line == line.trim_end()), "{source}");
        }
        let (subject, text, html) = said(kind, tag, &payload());
        for part in [subject, text, html] {
            assert!(!part.replace("{{7*7}}", "").contains('{') && !part.contains("\n\n\n"), "{part}");
        }
    }
}

#[test]
fn every_language_says_it_in_its_own_words() {
    for (kind, tag) in messages().filter(|(_, tag)| *tag != "en") {
        let (own, english) = (said(kind, tag, &payload()), said(kind, "en", &payload()));
        assert!(kind.channel() == Channel::Sms || own.0 != english.0, "{kind:?} {tag}");
        assert!(own.1 != english.1, "{kind:?} {tag}");
        // No sentence was left in English.
        let sentences =
            english.1.split(['\n', '.']).map(str::trim).filter(|part| part.len() > 20 && !part.contains('/'));
        for sentence in sentences {
            assert!(!own.1.contains(sentence) && !own.2.contains(sentence), "{kind:?} {tag}: {sentence}");
        }
    }
}

#[test]
fn an_sms_in_a_latin_language_keeps_to_the_short_alphabet() {
    for (kind, tag) in messages().filter(|(kind, _)| kind.channel() == Channel::Sms) {
        let size = sms_size(&said(kind, tag, &payload()).1);
        if ["en", "de", "fr", "es", "pt"].contains(&tag) {
            assert_eq!((size.encoding, size.segments <= 2), ("gsm7", true), "{kind:?} {tag}: {size:?}");
        }
        assert!(size.segments <= 4, "{kind:?} {tag}: {size:?}");
    }
}

#[test]
fn an_sms_with_a_code_ends_in_a_line_for_the_phone_when_there_is_a_host() {
    let mut bound = payload();
    bound.autofill_host = Some("app.example.com".to_owned());
    for (kind, tag) in messages().filter(|(kind, _)| kind.channel() == Channel::Sms && kind.carries_secret()) {
        assert_eq!(said(kind, tag, &bound).1.split_once("\n\n").unwrap().1, "@app.example.com #Ab3Cd4");
    }
    assert!(!said(Kind::InvitationEmailOtp, "en", &bound).1.contains("@app"));
}

#[test]
fn spans_are_said_in_words() {
    let english = Language::nearest("en-GB");
    let said: Vec<_> =
        [0, 1, 45, 60, 90, 1440, 2880, 2881, 10080, 3005].into_iter().map(|minutes| english.span(minutes)).collect();
    let expected = [
        "0 minutes",
        "1 minute",
        "45 minutes",
        "1 hour",
        "1 hour and 30 minutes",
        "24 hours",
        "2 days",
        "2 days and 1 minute",
        "7 days",
        "2 days, 2 hours and 5 minutes",
    ];
    assert_eq!(said, expected);
}

#[test]
fn numbers_take_the_right_form() {
    let counts = [0, 1, 2, 5, 21];
    let said = |tag: &str, unit: fn(&Language) -> &language::Unit| {
        let language = Language::nearest(tag);
        counts.map(|count| language.count(count, unit(language))).join(" | ")
    };
    let minutes = [
        ("en", "0 minutes | 1 minute | 2 minutes | 5 minutes | 21 minutes"),
        ("de", "0 Minuten | 1 Minute | 2 Minuten | 5 Minuten | 21 Minuten"),
        // Nothing is singular in French and Portuguese.
        ("fr", "0 minute | 1 minute | 2 minutes | 5 minutes | 21 minutes"),
        ("pt", "0 minuto | 1 minuto | 2 minutos | 5 minutos | 21 minutos"),
        ("es", "0 minutos | 1 minuto | 2 minutos | 5 minutos | 21 minutos"),
        ("si", "මිනිත්තු 0ක් | මිනිත්තු 1ක් | මිනිත්තු 2ක් | මිනිත්තු 5ක් | මිනිත්තු 21ක්"),
        ("ta", "0 நிமிடங்கள் | 1 நிமிடம் | 2 நிமிடங்கள் | 5 நிமிடங்கள் | 21 நிமிடங்கள்"),
        ("ja", "0分 | 1分 | 2分 | 5分 | 21分"),
    ];
    for (tag, expected) in minutes {
        assert_eq!(said(tag, |language| &language.minute), expected);
    }
    assert_eq!(said("de", |language| &language.day), "0 Tage | 1 Tag | 2 Tage | 5 Tage | 21 Tage");
    assert_eq!(said("ta", |language| &language.day), "0 நாட்கள் | 1 நாள் | 2 நாட்கள் | 5 நாட்கள் | 21 நாட்கள்");
    assert_eq!(said("fr", |language| &language.hour), "0 heure | 1 heure | 2 heures | 5 heures | 21 heures");
}

#[test]
fn spans_are_said_in_every_language() {
    let said = |tag: &str| [90, 1440, 3005].map(|minutes| Language::nearest(tag).span(minutes)).join(" | ");
    assert_eq!(said("de-CH"), "1 Stunde und 30 Minuten | 24 Stunden | 2 Tage, 2 Stunden und 5 Minuten");
    assert_eq!(said("fr"), "1 heure et 30 minutes | 24 heures | 2 jours, 2 heures et 5 minutes");
    assert_eq!(said("es"), "1 hora y 30 minutos | 24 horas | 2 días, 2 horas y 5 minutos");
    assert_eq!(said("pt-BR"), "1 hora e 30 minutos | 24 horas | 2 dias, 2 horas e 5 minutos");
    assert_eq!(said("si"), "පැය 1ක් සහ මිනිත්තු 30ක් | පැය 24ක් | දින 2ක්, පැය 2ක් සහ මිනිත්තු 5ක්");
    assert_eq!(said("ta"), "1 மணிநேரம் மற்றும் 30 நிமிடங்கள் | 24 மணிநேரம் | 2 நாட்கள், 2 மணிநேரம் மற்றும் 5 நிமிடங்கள்");
    assert_eq!(said("ja"), "1時間30分 | 24時間 | 2日2時間5分");
}

#[test]
fn built_in_templates_keep_the_rules_for_tenants_own() {
    for (kind, tag) in messages() {
        assert_eq!(check(kind, &locale(tag), &built_in(kind, &locale(tag)).unwrap()), Ok(()), "{kind:?} {tag}");
    }
}

#[test]
fn html_made_from_a_text_says_the_same() {
    let template = Template {
        subject: Some("A < B, {{ name }}".to_owned()),
        text: "Hi {{ name }} & all,\n\n{% if expires %}\nfor {{ expires }}\n{% endif %}\n<{{ link }}>\nend".to_owned(),
        html: None,
    };
    assert_eq!(check(Kind::InvitationEmailLink, &locale("en"), &template), Ok(()));
    let Ok(Rendered::Email { html, .. }) = render(Kind::InvitationEmailLink, &locale("en-GB"), &template, &payload())
    else {
        panic!("no e-mail")
    };
    let address = "https:&#x2f;&#x2f;example.com&#x2f;set-password#token=inv1_x&amp;y";
    let body = format!(
        "<p>Hi &lt;b&gt;Alex&lt;&#x2f;b&gt; {{{{7*7}}}} &amp; all,</p>\n<p>for 24 hours<br>\n&lt;<a href=\"{address}\" \
         rel=\"noreferrer\">{address}</a>&gt;<br>\nend</p>"
    );
    assert!(
        html.contains(&body) && html.contains("<title>A &lt; B, &lt;b&gt;") && html.contains("lang=\"en-GB\""),
        "{html}"
    );
}

#[test]
fn the_guide_names_every_variable_and_limit() {
    let guide = include_str!("../../docs/templates.md");
    let words = |text: &str| -> Vec<String> { text.split('`').skip(1).step_by(2).map(str::to_owned).collect() };
    let rows = guide.lines().filter_map(|line| line.strip_prefix("| `")?.split_once("` | "));
    let rows: Vec<_> = rows.filter_map(|(kind, rest)| Some((Kind::parse(kind)?, rest))).collect();
    let kinds: Vec<_> = Kind::ALL.iter().copied().filter(|kind| kind.channel().is_to_people()).collect();
    assert_eq!(rows.iter().map(|(kind, _)| *kind).collect::<Vec<_>>(), kinds);
    for (kind, rest) in rows {
        let (channel, named) = rest.split_once(" | ").unwrap();
        assert_eq!(
            (channel, words(named)),
            (kind.channel().as_str(), variables(kind).iter().map(|v| (*v).to_owned()).collect())
        );
    }
    for limit in [check::SUBJECT_MAX, check::TEXT_MAX, check::HTML_MAX, check::VARIABLES_MAX, check::SEGMENTS_MAX] {
        assert!(guide.contains(&format!(" {limit} ")), "{limit}");
    }
}

#[test]
fn html_that_loads_runs_or_leads_elsewhere_is_refused() {
    let code = |html: &str| {
        let template = Template {
            subject: Some("s".to_owned()),
            text: "{{ otp }}".to_owned(),
            html: Some(format!("<p>{{{{ otp }}}}</p>{html}")),
        };
        check(Kind::InvitationEmailOtp, &locale("en"), &template).map_err(|problem| problem.code)
    };
    let harmless = [
        "<table width=100% bgcolor='#fff'><tr><td align=center style='padding:8px;background:#eee'>x</td></tr></table>",
        "<a href=\"{{ otp_url }}\">{{ otp_url }}</a><a href={{otp_url}}>x</a><a href='mailto:help@example.com'>help</a>",
        "<a href='https://example.com/help?a=1&amp;b=2' target=_blank rel=noreferrer>x</a>{% if expires %}<b>{{ expires }}</b>{% endif %}",
        "{# why #}<title>{{ name }}</title><P CLASS=\"a b\">{{ username }}</P>",
    ];
    for html in harmless {
        assert_eq!(code(html), Ok(()), "{html}");
    }
    let harmful = [
        "<svg onload=x>",
        "<iframe src=x>",
        "<form action=x>",
        "<input>",
        "<style>x</style>",
        "<link rel=stylesheet href=x>",
        "<base href=x>",
        "<object data=x>",
        "<video poster=x>",
        "<image href=x>",
        "<math>",
        "<template>",
        "<noscript>",
        "<plaintext>",
        "<body background=x>",
        "<td background=x>",
        "<p onmouseover=x>",
        "<p/onclick=x>",
        "<a href=x formaction=x>",
        "<a ping=x>",
        "<p style='background:url(x)'>",
        "<p style='background:u\\72l(x)'>",
        "<p style='background:image-set(x)'>",
        "<p style='width:expression(x)'>",
        "<p style='color:{{ otp }}'>",
        "<p style='color:red;/*'>",
        "<p style='@import x'>",
        "<a href='javascript:x'>",
        "<a href='&#106;avascript:x'>",
        "<a href=' java&Tab;script:x'>",
        "<a href='data:text/html,x'>",
        "<a href='//evil.example'>",
        "<a href='/x'>",
        "<a href='https://evil.example/{{ otp }}'>",
        "<a href='{{ otp_url }}?{{ otp }}'>",
        "<a href='https://evil.example/#{{ name }}'>",
        "<a href='mailto:evil@example.com?body={{ otp }}'>",
        "<p href='{{ otp_url }}'>",
        "<!-- x -->",
        "<![CDATA[x]]>",
        "<?x?>",
        "<p {{ name }}>",
        "<p title={{ username }}>",
        "<{{ otp }}>",
        "<p title={{ expires }}>",
    ];
    for html in harmful {
        assert!(matches!(code(html), Err("html_not_allowed" | "value_missing")), "{html}: {:?}", code(html));
    }
}

#[test]
fn a_template_full_of_openings_is_read_in_no_time() {
    for opening in ["{{a}}", "{", "{#", "{#}", "{% if a %}", "{{"] {
        let text = opening.repeat(check::TEXT_MAX / opening.len());
        let template = Template { subject: None, text, html: None };
        assert!(check(Kind::InvitationSmsOtp, &locale("en"), &template).is_err());
    }
}
