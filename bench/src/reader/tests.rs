use std::io::Write;
use std::net::TcpListener;

use super::*;

/// Keeps all lines with the number of their stream.
#[derive(Default)]
struct Lines {
    lines: Vec<(usize, String)>,
    ended: usize,
}

impl Receiver for Lines {
    fn line(&mut self, stream: usize, line: &[u8], _: Instant) {
        let line = String::from_utf8_lossy(line).into_owned();
        self.lines.push((stream, line));
    }

    fn ended(&mut self) {
        self.ended += 1;
    }
}

const TICK: Duration = Duration::from_millis(1);

const HEAD: &[u8] = b"HTTP/1.1 200 OK\r\n\r\n";

/// Returns a connection and its other end.
async fn pair() -> (tokio::net::TcpStream, std::net::TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let client = tokio::net::TcpStream::connect(listener.local_addr().unwrap());
    (client.await.unwrap(), listener.accept().unwrap().0)
}

async fn until(reader: &Reader<Lines>, done: impl Fn(&Lines) -> bool) {
    let since = Instant::now();
    while !done(&reader.receiver()) {
        assert!(since.elapsed() < Duration::from_secs(10), "timed out");
        tokio::time::sleep(TICK).await;
    }
}

#[test]
fn a_tick_grows_with_the_time_of_reading_up_to_a_limit() {
    let ms = Duration::from_millis;
    let pause = |took| pause(ms(1), Duration::from_micros(took));
    assert_eq!(pause(100), Duration::from_micros(900));
    assert_eq!(pause(1_000), ms(3), "a quarter of the time");
    assert_eq!(pause(4_000), ms(6), "a tick of 10 ms");
    assert_eq!(pause(30_000), Duration::ZERO);
}

#[tokio::test]
async fn a_reader_passes_on_every_line_of_every_stream_and_reports_its_end() {
    let reader = Reader::start(Lines::default(), TICK).unwrap();
    let mut servers = Vec::new();
    for number in [3, 5] {
        let (client, mut server) = pair().await;
        server.write_all(HEAD).unwrap();
        reader.add(number, client).await.unwrap();
        server.write_all(b"data: 1\nda").unwrap();
        servers.push(server);
    }
    let first = |number| (number, "data: 1".to_owned());
    until(&reader, |all| all.lines.len() == 2).await;
    for number in [3, 5] {
        assert!(reader.receiver().lines.contains(&first(number)));
    }
    // These bytes and the end may arrive in the same tick.
    let mut server = servers.remove(0);
    server.write_all(b"ta: 2\n").unwrap();
    drop(server);
    until(&reader, |all| all.ended == 1).await;
    let last = reader.receiver().lines.pop();
    assert_eq!(last, Some((3, "data: 2".to_owned())));
}

#[tokio::test]
async fn a_stream_larger_than_the_buffer_is_read_to_its_end() {
    let reader = Reader::start(Lines::default(), TICK).unwrap();
    let (client, mut server) = pair().await;
    let lines = 100_000;
    std::thread::spawn(move || {
        server.write_all(HEAD).unwrap();
        server.write_all("data: 0123456789\n".repeat(lines).as_bytes())
    });
    reader.add(0, client).await.unwrap();
    until(&reader, |all| all.ended == 1).await;
    assert_eq!(reader.receiver().lines.len(), lines);
}

#[tokio::test]
async fn a_refused_stream_is_an_error_and_no_end() {
    let reader = Reader::start(Lines::default(), TICK).unwrap();
    let (client, mut server) = pair().await;
    server.write_all(b"HTTP/1.1 503 No\r\n\r\n").unwrap();
    let error = reader.add(0, client).await.unwrap_err();
    assert!(error.to_string().contains("503"), "{error}");
    assert_eq!(reader.receiver().ended, 0);
}

#[tokio::test]
async fn the_streams_of_a_reader_are_closed_with_it() {
    let reader = Reader::start(Lines::default(), TICK).unwrap();
    let (client, mut server) = pair().await;
    server.write_all(HEAD).unwrap();
    reader.add(0, client).await.unwrap();
    drop(reader);
    let timeout = Some(Duration::from_secs(10));
    server.set_read_timeout(timeout).unwrap();
    assert_eq!(server.read(&mut [0]).unwrap(), 0);
}
