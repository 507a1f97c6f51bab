//! The six course programs and epollo, both ways round: their clients against our server, our
//! clients against their servers. The programs themselves are stand-ins; see [`programs`].

use std::io::Write;

use crate::support::{Epollo, Random, Server, connect, read_to_end};

mod programs;

use crate::support::terminal::Terminal;
use programs::{
    CHAT_BYTES, ChatProgram, Course, accept, chat_server, echo_1_client, echo_1_server,
    echo_2_client, echo_3_client, hello_1_client, hello_2_client, mirror, text,
};

#[test]
fn both_hello_clients_print_either_greeting() {
    let nul = Server::start(&["hello=0"]);
    let shown = "Message from server: Hello World!";
    assert_eq!(hello_1_client(nul.connect("hello")), shown);
    assert_eq!(hello_2_client(nul.connect("hello")), shown);
    let newline = Server::start(&["hello=0", "--greeting", r"Hello World~\n"]);
    let shown = "Message from server: Hello World~\n";
    let own_garbage = "#".repeat(29 - 13);
    let with_garbage = format!("{shown}{own_garbage}");
    assert_eq!(hello_1_client(newline.connect("hello")), with_garbage);
    assert_eq!(hello_2_client(newline.connect("hello")), shown);
    nul.stop();
    newline.stop();
}

#[test]
fn our_hello_client_prints_both_greetings() {
    for (greeting, shown) in [
        (b"Hello World!\0", "Message from server: Hello World!\n"),
        (b"Hello World~\n", "Message from server: Hello World~\n"),
    ] {
        let course = Course::serve(|listener| accept(listener).write_all(greeting).unwrap());
        let mut client = Epollo::run(&["hello", "127.0.0.1", &course.port]);
        course.end();
        assert_eq!(client.code(), 0, "{}", client.errors());
        assert_eq!(text(&client.rest()), shown);
    }
}

#[test]
fn the_echo_1_client_sees_its_lines_and_leaves_on_exit() {
    let typed = format!(
        "hello\n안녕하세요\n\n{}\nexit\nnever sent\n",
        "x".repeat(150)
    );
    let shown = typed.strip_suffix("never sent\n").unwrap();
    let plain = Server::start(&["echo=0"]);
    for _ in 0..2 {
        let mut client = plain.connect("echo");
        assert_eq!(echo_1_client(&mut client, &typed), shown);
        // It may also leave without reading the answer; the next client must not suffer.
        plain.connect("echo").write_all(b"exit\n").unwrap();
    }
    let quitting = Server::start(&["echo=0", "--quit", "exit"]);
    let mut client = quitting.connect("echo");
    assert_eq!(echo_1_client(&mut client, &typed), shown);
    assert_eq!(read_to_end(&mut client), b"", "its read gives 0");
    plain.stop();
    quitting.stop();
}

#[test]
fn the_echo_2_client_gets_each_line_in_one_read() {
    let server = Server::start(&["echo=0"]);
    let longest = "가".repeat(340) + "xy";
    let typed = format!("hello\n\n{longest}\nq \nQ\n");
    let shown: String = ["hello", "", &longest, "q "]
        .map(|line| format!("Message from server : {line}\n"))
        .concat();
    assert_eq!(echo_2_client(server.connect("echo"), &typed), shown);
    server.stop();
}

#[test]
fn the_echo_3_client_gets_as_many_bytes_as_it_waits_for() {
    let server = Server::start(&["echo=0"]);
    let long = "길".repeat(2000);
    let typed = ["hello", "", "두 번째 줄", &long];
    assert_eq!(echo_3_client(server.connect("echo"), &typed), typed);
    assert_eq!(echo_3_client(server.connect("echo"), &typed), typed);
    server.stop();
}

/// Runs our echo client in a pipe; its exit code, its output and its words.
fn pipe_through<T: Send + 'static>(course: &Course<T>, input: &[u8]) -> (i32, Vec<u8>, String) {
    let mut client = Epollo::run(&["echo", "127.0.0.1", &course.port]);
    client.type_in(input);
    client.end_input();
    (client.code(), client.rest(), client.errors())
}

#[test]
fn our_echo_client_in_a_pipe_counts_the_newlines_that_echo_1_loses() {
    let course = Course::serve(|listener| echo_1_server(listener, 4));
    let (code, output, words) = pipe_through(&course, "안녕하세요\n".as_bytes());
    assert_eq!((code, text(&output)), (1, "안녕하세요\n".to_owned()));
    let told = "of 16 bytes sent, 1 lost, 0 changed, 0 too many";
    assert!(words.contains(told), "{words}");
    let (code, output, words) = pipe_through(&course, b"no newline, none lost");
    assert_eq!(code, 0, "{words}");
    assert_eq!(output, b"no newline, none lost\n");
    let (code, output, words) = pipe_through(&course, b"\n");
    assert_eq!((code, output), (1, Vec::new()), "it sends nothing");
    assert!(words.contains("of 1 bytes sent, 1 lost"), "{words}");
    let (code, output, words) = pipe_through(&course, b"exit\n");
    assert_eq!((code, output), (1, Vec::new()), "it just closes");
    assert!(words.contains("of 5 bytes sent, 5 lost"), "{words}");
    assert_eq!(course.end(), 3);
}

#[test]
fn our_echo_client_in_a_pipe_ends_with_echo_1_though_its_input_goes_on() {
    let course = Course::serve(|listener| echo_1_server(listener, 1));
    let mut client = Epollo::run(&["echo", "127.0.0.1", &course.port]);
    client.type_in("exit\n");
    assert_eq!(client.code(), 1);
    let words = client.errors();
    assert!(
        words.contains("ended the connection before the input ended"),
        "{words}"
    );
    assert_eq!(course.end(), 1);
}

#[test]
fn our_echo_client_in_a_pipe_keeps_all_text_of_many_lines_from_echo_1() {
    let course = Course::serve(|listener| echo_1_server(listener, 1));
    let input = "a line\n".repeat(300);
    let (code, output, words) = pipe_through(&course, input.as_bytes());
    let lost = course.end();
    assert!(lost > 0, "the last byte is a newline");
    let told = format!("of {} bytes sent, {lost} lost, ", input.len());
    assert_eq!(code, 1);
    assert!(words.contains(&told), "{words} instead of {told}");
    let joined = |text: &str| text.replace('\n', "");
    assert_eq!(joined(&text(&output)), joined(&input), "its text is there");
}

#[test]
fn our_echo_client_in_a_pipe_gets_every_byte_back_from_echo_2_and_3() {
    let lines = "hello\n안녕하세요\nno newline at the end";
    let random = Random::new(9).bytes(200_000);
    for input in [lines.as_bytes(), &random, b"\0", b"\n"] {
        for count_max in [1023, 511] {
            let course = Course::serve(move |listener| mirror(listener, count_max, 1));
            let (code, mut output, words) = pipe_through(&course, input);
            assert_eq!(code, 0, "{words}");
            if !input.ends_with(b"\n") {
                output.pop();
            }
            assert!(output == input);
            assert!(course.end().starts_with(b"message from client : "));
        }
    }
}

#[test]
fn our_echo_client_on_a_terminal_talks_with_each_echo_server() {
    let echo_1 = Course::serve(|listener| echo_1_server(listener, 2));
    let echo_2 = Course::serve(|listener| drop(mirror(listener, 1023, 1)));
    let echo_3 = Course::serve(|listener| drop(mirror(listener, 511, 2)));
    for (port, quit) in [
        (&echo_1.port, "Q"),
        (&echo_1.port, "q"),
        (&echo_2.port, "Q"),
        (&echo_3.port, "Q"),
        (&echo_3.port, "q"),
    ] {
        let mut client = Terminal::run(&["echo", "127.0.0.1", port]);
        client.shows("Exit(Q to quit) : ");
        for line in ["hello", "안녕하세요", "Quit", "a  b"] {
            client.type_in(&format!("{line}\n"));
            client.shows(&format!("{line}\r\nMessage from server : {line}\r\n"));
            client.shows("Exit(Q to quit) : ");
        }
        client.type_in(&format!("{quit}\n"));
        client.shows(&format!("{quit}\r\n"));
        assert_eq!(client.code(), 0);
    }
    echo_1.end();
    echo_2.end();
    echo_3.end();
}

#[test]
fn our_echo_client_on_a_terminal_says_that_echo_1_ended_it() {
    let course = Course::serve(|listener| echo_1_server(listener, 1));
    let mut client = Terminal::run(&["echo", "127.0.0.1", &course.port]);
    client.shows("Exit(Q to quit) : ");
    client.type_in("exit\n");
    let address = format!("127.0.0.1:{}", course.port);
    client.shows(&format!(
        "exit\r\nepollo: {address} ended the connection\r\n"
    ));
    assert_eq!(client.code(), 0);
    assert_eq!(course.end(), 1);
}

/// An operator at a server of ours, and a course client that has just come in.
fn chat_with_operator() -> (Server, ChatProgram) {
    let mut server = Server::start(&["chat=0", "--once"]);
    let stream = connect(server.address("chat"));
    let name = stream.local_addr().unwrap();
    let client = ChatProgram::new(stream);
    let joined = format!("Connection from {name}");
    assert_eq!(server.process.line(), joined);
    (server, client)
}

#[test]
fn a_course_client_talks_with_the_operator_and_its_left_overs_are_never_shown() {
    let (mut server, mut client) = chat_with_operator();
    for (said, answer) in [
        ("", "an empty line has a turn too"),
        ("a long first message, of which much is left over", "네"),
        ("안녕하세요", ""),
        ("QUITE short", "QUIT it"),
        ("x", "네, 잘 지내요"),
    ] {
        client.say(said);
        assert_eq!(server.process.line(), format!("client : {said}"));
        server.process.type_in(format!("{answer}\n"));
        assert_eq!(client.hear(), answer);
    }
    assert!(!client.say("QUIT"));
    assert_eq!(read_to_end(&mut client.stream), b"", "we close first, too");
    drop(client);
    assert_eq!(server.process.code(), 0);
    let shown = text(&server.process.rest());
    assert_eq!(shown, "client : QUIT\nDisconnected\n");
}

#[test]
fn the_operator_or_the_end_of_its_input_quits_a_course_client() {
    for last in [Some("QUIT\n"), None] {
        let (mut server, mut client) = chat_with_operator();
        server.process.type_in("typed ahead\n");
        match last {
            Some(line) => server.process.type_in(line),
            None => server.process.end_input(),
        }
        client.say("the first message");
        assert_eq!(client.hear(), "typed ahead");
        client.say("bye");
        assert_eq!(client.hear(), "QUIT", "it compares, and closes");
        assert_eq!(read_to_end(&mut client.stream), b"");
        drop(client);
        assert_eq!(server.process.code(), 0);
        let shown = "client : the first message\nclient : bye\nDisconnected\n";
        assert_eq!(text(&server.process.rest()), shown);
    }
}

#[test]
fn korean_that_fills_the_buffer_survives_in_both_directions() {
    let (mut server, mut client) = chat_with_operator();
    // 1 + 340 * 3 + 2 = 1023 bytes: their buffer cuts the last character, ours does not.
    let line = "x".to_owned() + &"한".repeat(341) + "끝";
    let (whole, rest) = line.split_at(1 + 340 * 3);
    client.say(&line.as_bytes()[..1023]);
    let shown = format!(r"client : {whole}\xed\x95");
    assert_eq!(server.process.line(), shown);
    server.process.type_in(format!("{line}\n"));
    assert_eq!(client.hear(), whole);
    client.say(&line.as_bytes()[1023..]);
    assert_eq!(server.process.line(), r"client : \x9c끝");
    assert_eq!(client.hear(), rest);
}

#[test]
fn our_chat_client_talks_with_a_course_server_and_quits() {
    let long = "a long answer, of which much is left over";
    let answers = [long, "네", "", "x", "never said"];
    let course = Course::serve(move |listener| chat_server(listener, &answers));
    let mut client = Epollo::run(&["chat", "127.0.0.1", &course.port]);
    assert_eq!(client.line(), "Connected");
    let said = ["안녕하세요", "", "QUITE short", "a b"];
    for (line, answer) in said.iter().zip(answers) {
        client.type_in(format!("{line}\n"));
        assert_eq!(client.line(), format!("server : {answer}"));
    }
    client.type_in("QUIT\nnever sent\n");
    assert_eq!(course.end(), [&said[..], &["QUIT"]].concat());
    assert_eq!(client.code(), 0, "{}", client.errors());
    assert_eq!(text(&client.rest()), "Disconnected\n");
}

#[test]
fn a_course_server_quits_our_chat_client() {
    let course = Course::serve(|listener| chat_server(listener, &["먼저 갈게요", "QUIT"]));
    let mut client = Epollo::run(&["chat", "127.0.0.1", &course.port]);
    client.type_in("하나\n둘\n셋\n");
    assert_eq!(course.end(), ["하나", "둘"]);
    assert_eq!(client.code(), 0, "{}", client.errors());
    let shown = "Connected\nserver : 먼저 갈게요\nserver : QUIT\nDisconnected\n";
    assert_eq!(text(&client.rest()), shown);
}

#[test]
fn our_chat_client_answers_quit_by_closing_though_more_was_typed() {
    let course = Course::serve(|listener| {
        let mut program = ChatProgram::new(accept(listener));
        let told = program.hear();
        program.say("QUIT");
        (told, read_to_end(&mut program.stream))
    });
    let mut client = Epollo::run(&["chat", "127.0.0.1", &course.port]);
    client.type_in("하나\n둘\n");
    assert_eq!(course.end(), ("하나".to_owned(), Vec::new()));
    assert_eq!(client.code(), 0, "{}", client.errors());
}

#[test]
fn our_chat_client_sends_a_line_too_long_in_whole_characters_and_quits_with_its_input() {
    let course = Course::serve(|listener| chat_server(listener, &["1", "2", "3"]));
    let mut client = Epollo::run(&["chat", "127.0.0.1", &course.port]);
    let line = "x".to_owned() + &"한".repeat(341);
    client.type_in(format!("{line}\nlast"));
    client.end_input();
    let (whole, rest) = line.split_at(1 + 340 * 3);
    assert_eq!(course.end(), [whole, rest, "last", "QUIT"]);
    assert_eq!(client.code(), 0, "{}", client.errors());
}

#[test]
fn our_chat_client_sends_nothing_but_frames() {
    let course = Course::serve(|listener| {
        let mut program = ChatProgram::new(accept(listener));
        assert_eq!(program.hear(), "one");
        program.say("go on");
        read_to_end(&mut program.stream)
    });
    let mut client = Epollo::run(&["chat", "127.0.0.1", &course.port]);
    client.type_in("one\nQUIT\ntwo\n");
    let mut frame = b"QUIT".to_vec();
    frame.resize(CHAT_BYTES, 0);
    assert_eq!(course.end(), frame, "the last one, then the end");
    assert_eq!(client.code(), 0, "{}", client.errors());
}

#[test]
fn our_echo_client_on_a_terminal_can_leave_after_an_empty_line_to_echo_1() {
    let course = Course::serve(|listener| echo_1_server(listener, 1));
    let mut client = Terminal::run(&["echo", "127.0.0.1", &course.port]);
    client.shows("Exit(Q to quit) : ");
    client.type_in("\nQ\n");
    client.shows("\r\nQ\r\nExit(Q to quit) : ");
    assert_eq!(client.code(), 0);
    assert_eq!(course.end(), 1);
}
