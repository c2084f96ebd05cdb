//! A web server on this machine that behaves as badly as it is told to.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

/// What a client asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    pub path: String,
    /// The first byte of `Range: bytes=FIRST-`.
    pub first_byte: Option<usize>,
}

/// What the server does about a request.
pub enum Reply {
    /// The contents, or the part of them that is asked for.
    Contents(Vec<u8>),
    /// The contents from their beginning whatever is asked for, and only so many bytes of them.
    Whole(Vec<u8>, usize),
    /// So many bytes of the part that is asked for, then the end of the connection.
    Cut(Vec<u8>, usize),
    /// This part of the contents, whatever is asked for.
    WrongRange(Vec<u8>, usize),
    /// Another address.
    Redirect(String),
    /// A status alone.
    Status(u16),
}

/// A server that runs until it is dropped.
pub struct Server {
    address: SocketAddr,
    requests: Arc<Mutex<Vec<Request>>>,
    is_over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Answers every request by `reply`, which is told how many there have been.
    pub fn start(reply: impl Fn(&Request, usize) -> Reply + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let is_over = Arc::new(AtomicBool::new(false));
        let (log, over) = (Arc::clone(&requests), Arc::clone(&is_over));
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming() {
                if over.load(Ordering::SeqCst) {
                    return;
                }
                let stream = stream.unwrap();
                if let Some(request) = read_request(&stream) {
                    let index = log.lock().unwrap().len();
                    log.lock().unwrap().push(request.clone());
                    // A client that has gone is what some tests are about.
                    let _ = answer(stream, &request, reply(&request, index));
                }
            }
        });
        Self {
            address,
            requests,
            is_over,
            thread: Some(thread),
        }
    }

    /// The address that requests go to.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// All requests so far.
    pub fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::SeqCst);
        // Wakes the loop up.
        let _ = TcpStream::connect(self.address);
        let ended = self.thread.take().unwrap().join();
        assert!(ended.is_ok() || std::thread::panicking());
    }
}

fn read_request(stream: &TcpStream) -> Option<Request> {
    let mut lines = BufReader::new(stream).lines().map_while(Result::ok);
    let path = lines.next()?.split(' ').nth(1)?.to_owned();
    let mut first_byte = None;
    for line in lines.take_while(|line| !line.is_empty()) {
        let (name, value) = line.split_once(": ")?;
        if name.eq_ignore_ascii_case("range") {
            let first = value.strip_prefix("bytes=")?.strip_suffix('-')?;
            first_byte = Some(first.parse().ok()?);
        }
    }
    Some(Request { path, first_byte })
}

fn answer(mut stream: TcpStream, request: &Request, reply: Reply) -> std::io::Result<()> {
    let first = request.first_byte;
    match reply {
        Reply::Contents(bytes) if first.is_some_and(|first| first >= bytes.len()) => head(
            &mut stream,
            416,
            &format!("Content-Range: bytes */{}\r\n", bytes.len()),
            0,
        ),
        Reply::Contents(bytes) => partial(&mut stream, &bytes, first, bytes.len()),
        Reply::Cut(bytes, sent) => partial(&mut stream, &bytes, first, sent),
        Reply::WrongRange(bytes, first) => partial(&mut stream, &bytes, Some(first), bytes.len()),
        Reply::Whole(bytes, sent) => partial(&mut stream, &bytes, None, sent),
        Reply::Redirect(url) => head(&mut stream, 302, &format!("Location: {url}\r\n"), 0),
        Reply::Status(status) => head(&mut stream, status, "", 0),
    }
}

/// Sends at most `sent` bytes from `first` on, having promised all of them.
fn partial(
    stream: &mut TcpStream,
    bytes: &[u8],
    first: Option<usize>,
    sent: usize,
) -> std::io::Result<()> {
    let length = bytes.len();
    let part = &bytes[first.unwrap_or(0)..];
    match first {
        None => head(stream, 200, "", part.len())?,
        Some(first) => {
            let range = format!("Content-Range: bytes {first}-{}/{length}\r\n", length - 1);
            head(stream, 206, &range, part.len())?;
        }
    }
    stream.write_all(&part[..sent.min(part.len())])
}

fn head(stream: &mut TcpStream, status: u16, headers: &str, length: usize) -> std::io::Result<()> {
    write!(
        stream,
        "HTTP/1.1 {status} Reason\r\n{headers}Content-Length: {length}\r\nConnection: close\r\n\r\n"
    )
}
