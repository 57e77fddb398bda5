//! A way to a server on which something goes wrong at one of the messages to it.

#![cfg(unix)]

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use crate::support::Ran;

/// A way to a server.
pub struct Wire {
    pub address: SocketAddr,
    rules: Arc<Mutex<Rules>>,
}

/// What goes wrong, and where.
#[derive(Clone)]
pub struct Fault {
    pub at: At,
    pub cut: Cut,
    pub loss: Loss,
    /// Whether nobody comes through any more from then on.
    pub for_good: bool,
}

/// Which message.
#[derive(Clone, Copy, Debug)]
pub enum At {
    Number(usize),
    /// The first with that text in it.
    Text(&'static str),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// Before the server has the message.
    Before,
    /// When it has answered, and nobody has heard it.
    After,
}

#[derive(Clone)]
pub enum Loss {
    /// The connection is over, and both ends learn of it: by a reset where a message was unread, else by its end.
    Told,
    /// Nobody learns of anything: messages go nowhere, and none comes.
    Silent,
    /// The process that sent the message is killed.
    Killed,
    /// Something else happens meanwhile, to the process that sent it or elsewhere, and the message or answer goes on.
    Meanwhile(Arc<dyn Fn(u32) + Send + Sync>),
}

struct Rules {
    /// How many messages there were.
    messages: usize,
    fault: Option<Fault>,
    was_cut: bool,
    /// The process that sends.
    process: u32,
    /// What is kept open so that nobody learns of anything.
    held: Vec<TcpStream>,
}

impl Wire {
    pub fn to(port: u16, fault: Option<Fault>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let rules = Rules { messages: 0, fault, was_cut: false, process: 0, held: Vec::new() };
        let rules = Arc::new(Mutex::new(rules));
        let known = Arc::clone(&rules);
        thread::spawn(move || {
            for here in listener.incoming().map_while(Result::ok) {
                {
                    let mut rules = known.lock().unwrap();
                    if let Some(fault) = rules.fault.as_ref().filter(|fault| rules.was_cut && fault.for_good)
                    {
                        if matches!(fault.loss, Loss::Silent) {
                            rules.held.push(here);
                        }
                        continue;
                    }
                }
                if let Ok(there) = TcpStream::connect(("127.0.0.1", port)) {
                    connect(&here, &there, &known);
                }
            }
        });
        Self { address, rules }
    }

    /// Runs a process that goes this way, to its end.
    pub fn run(&self, mut process: Command) -> Ran {
        let child = {
            // Nothing of what it sends is looked at before it is known.
            let mut rules = self.rules.lock().unwrap();
            let child = process.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
            rules.process = child.id();
            child
        };
        child.wait_with_output().unwrap().into()
    }

    pub fn messages(&self) -> usize {
        self.rules.lock().unwrap().messages
    }

    pub fn was_cut(&self) -> bool {
        self.rules.lock().unwrap().was_cut
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        for held in self.rules.lock().unwrap().held.drain(..) {
            let _ = held.shutdown(Shutdown::Both);
        }
    }
}

impl Rules {
    /// What goes wrong at this message, if it is the one.
    fn fault(&mut self, message: &[u8]) -> Option<Fault> {
        self.messages += 1;
        let fault = self.fault.as_ref().filter(|_| !self.was_cut)?;
        let is_it = match fault.at {
            At::Number(number) => number == self.messages,
            At::Text(text) => String::from_utf8_lossy(message).contains(text),
        };
        self.was_cut = is_it;
        is_it.then(|| fault.clone())
    }
}

fn connect(here: &TcpStream, there: &TcpStream, rules: &Arc<Mutex<Rules>>) {
    let _ = (here.set_nodelay(true), there.set_nodelay(true));
    // Whether neither end is to learn from here how this ends; and what goes wrong with the next answer.
    let (apart, next) = (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::new(None)));
    let ends = || (here.try_clone().unwrap(), there.try_clone().unwrap());
    {
        let ((mut here, mut there), (apart, next), rules) =
            (ends(), (Arc::clone(&apart), Arc::clone(&next)), Arc::clone(rules));
        thread::spawn(move || {
            let mut buffer = vec![0; 1 << 16];
            while let Ok(size @ 1..) = here.peek(&mut buffer) {
                let fault = {
                    // Whoever asks what happened waits until it has.
                    let mut rules = rules.lock().unwrap();
                    let fault = rules.fault(&buffer[..size]);
                    if let Some(Fault { cut: Cut::Before, loss: Loss::Meanwhile(what), .. }) = &fault {
                        what(rules.process);
                    }
                    fault
                };
                match fault {
                    Some(Fault { cut: Cut::After, loss, .. }) => *next.lock().unwrap() = Some(loss),
                    Some(Fault { loss: Loss::Told, .. }) => {
                        // Closed by all while something is unread, an end is reset.
                        apart.store(true, Ordering::SeqCst);
                        let _ = there.shutdown(Shutdown::Both);
                        return;
                    }
                    Some(Fault { loss: Loss::Silent, .. }) => silence(&there, &apart, &rules),
                    Some(Fault { loss: Loss::Killed, .. }) => {
                        signal(rules.lock().unwrap().process, "KILL");
                        break;
                    }
                    Some(Fault { loss: Loss::Meanwhile(_), .. }) | None => {}
                }
                let read = here.read_exact(&mut buffer[..size]);
                let is_silent = apart.load(Ordering::SeqCst);
                if read.is_err() || (!is_silent && there.write_all(&buffer[..size]).is_err()) {
                    break;
                }
            }
            end(&here, &there, &apart);
        });
    }
    let ((mut here, mut there), rules) = (ends(), Arc::clone(rules));
    thread::spawn(move || {
        let mut buffer = vec![0; 1 << 16];
        while let Ok(size @ 1..) = there.read(&mut buffer) {
            match next.lock().unwrap().take() {
                Some(Loss::Told) => break,
                Some(Loss::Silent) => silence(&there, &apart, &rules),
                Some(Loss::Killed) => signal(rules.lock().unwrap().process, "KILL"),
                Some(Loss::Meanwhile(what)) => {
                    let rules = rules.lock().unwrap();
                    what(rules.process);
                }
                None => {}
            }
            if !apart.load(Ordering::SeqCst) && here.write_all(&buffer[..size]).is_err() {
                break;
            }
        }
        end(&here, &there, &apart);
    });
}

/// From now on neither end hears anything, nor that it does not.
fn silence(there: &TcpStream, apart: &AtomicBool, rules: &Mutex<Rules>) {
    rules.lock().unwrap().held.push(there.try_clone().unwrap());
    apart.store(true, Ordering::SeqCst);
}

fn end(here: &TcpStream, there: &TcpStream, apart: &AtomicBool) {
    if !apart.load(Ordering::SeqCst) {
        let _ = (here.shutdown(Shutdown::Both), there.shutdown(Shutdown::Both));
    }
}

pub fn signal(process: u32, signal: &str) {
    let sent = Command::new("kill").args([&format!("-{signal}"), &process.to_string()]).status();
    assert!(sent.unwrap().success());
}
