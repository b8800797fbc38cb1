//! The load: many connections that are kept open, one request at a time on each, from one thread of this process.

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use unionhall::clock::Stopwatch;

/// What one request came to.
#[derive(Debug, Clone)]
pub struct Answered {
    /// Which request.
    pub number: usize,
    pub status: u16,
    /// The code of a problem document.
    pub code: Option<String>,
    /// Since the begin of the load.
    pub sent: Duration,
    pub answered: Duration,
    pub length: usize,
}

/// What a load came to.
pub struct Outcome {
    pub a_second: f64,
    pub p99: Duration,
    pub answers: Vec<Answered>,
}

/// Sends `total` requests, the `n`th being `requests[n % len]`, over `connections` spread over `addresses`.
pub fn run(addresses: &[SocketAddr], requests: Vec<Vec<u8>>, total: usize, connections: usize) -> Outcome {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    tokio::task::LocalSet::new().block_on(&runtime, drive(addresses, requests, total, connections))
}

async fn drive(
    addresses: &[SocketAddr],
    requests: Vec<Vec<u8>>,
    total: usize,
    connections: usize,
) -> Outcome {
    let requests = Rc::new(requests);
    let (next, answers) = (Rc::new(Cell::new(0)), Rc::new(RefCell::new(Vec::with_capacity(total))));
    let mut streams = Vec::new();
    for number in 0..connections {
        let stream = TcpStream::connect(addresses[number % addresses.len()]).await.unwrap();
        stream.set_nodelay(true).unwrap();
        streams.push(stream);
    }
    let whole = Stopwatch::start();
    let clients: Vec<_> = streams
        .into_iter()
        .map(|mut stream| {
            let (requests, next, answers) = (Rc::clone(&requests), Rc::clone(&next), Rc::clone(&answers));
            tokio::task::spawn_local(async move {
                let mut buffer = vec![0; 1024 * 1024];
                loop {
                    let number = next.get();
                    if number >= total {
                        return;
                    }
                    next.set(number + 1);
                    let sent = whole.elapsed();
                    stream.write_all(&requests[number % requests.len()]).await.unwrap();
                    let (status, code, length) = answer(&mut stream, &mut buffer).await;
                    let answered = whole.elapsed();
                    answers.borrow_mut().push(Answered { number, status, code, sent, answered, length });
                }
            })
        })
        .collect();
    for client in clients {
        client.await.unwrap();
    }
    let seconds = whole.elapsed().as_secs_f64();
    let answers = answers.take();
    let mut times: Vec<Duration> = answers.iter().map(|one: &Answered| one.answered - one.sent).collect();
    times.sort_unstable();
    let count = f64::from(u32::try_from(times.len()).unwrap());
    Outcome { a_second: count / seconds, p99: times[times.len() * 99 / 100], answers }
}

/// Status, problem code and length of the next answer.
async fn answer(stream: &mut TcpStream, buffer: &mut [u8]) -> (u16, Option<String>, usize) {
    const LENGTH: &[u8] = b"content-length: ";
    let mut filled = 0;
    loop {
        let read = stream.read(&mut buffer[filled..]).await.unwrap();
        assert!(read > 0, "the server closed the connection");
        filled += read;
        let text = &buffer[..filled];
        let Some(end) = text.windows(4).position(|four| four == b"\r\n\r\n") else { continue };
        let at =
            text[..end].windows(LENGTH.len()).position(|name| name.eq_ignore_ascii_case(LENGTH)).unwrap();
        let digits = text[at + LENGTH.len()..].iter().take_while(|byte| byte.is_ascii_digit());
        let length = digits.fold(0, |sum, digit| sum * 10 + usize::from(digit - b'0'));
        if filled < end + 4 + length {
            continue;
        }
        let status = std::str::from_utf8(&text[9..12]).unwrap().parse().unwrap();
        let code = (status >= 400).then(|| code(&text[end + 4..filled]));
        return (status, code, length);
    }
}

/// The code in a problem document, found without reading all of it: the client's time counts too.
fn code(problem: &[u8]) -> String {
    const NAME: &[u8] = b"\"code\":\"";
    let at = problem.windows(NAME.len()).position(|name| name == NAME).unwrap() + NAME.len();
    let text = problem[at..].split(|byte| *byte == b'"').next().unwrap();
    String::from_utf8(text.to_vec()).unwrap()
}

/// One request, for a look at the answer: status and body.
pub fn once(address: SocketAddr, request: &[u8]) -> (u16, String) {
    use std::io::{Read, Write};
    let mut stream = std::net::TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
    stream.write_all(request).unwrap();
    let (mut text, mut buffer) = (Vec::new(), vec![0; 64 * 1024]);
    while let Ok(read @ 1..) = stream.read(&mut buffer) {
        text.extend_from_slice(&buffer[..read]);
    }
    let text = String::from_utf8(text).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    (head[9..12].parse().unwrap(), body.to_owned())
}
