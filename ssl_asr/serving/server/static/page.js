// Speaks Vosk's protocol: 16-bit audio out, one reply a message, of partial or final words.
'use strict';

const IN_FLIGHT = 4;       // messages of a file that wait for replies
const FILE_SECONDS = 0.5;  // of each of them
const by = (id) => document.getElementById(id);
let session = null;

class Session {
  constructor(rate, isLive) {
    this.rate = rate;
    this.isLive = isLive;
    this.sent = [];          // [seconds of audio so far, when they were heard]
    this.seconds = 0;
    this.waiting = 0;
    this.latencies = [];
    const token = by('token').value;
    const address = new URL('vosk', document.baseURI.replace(/^http/, 'ws'));
    this.socket = new WebSocket(address, token ? ['ssl-asr', `bearer.${token}`] : []);
    this.socket.binaryType = 'arraybuffer';
    this.socket.onopen = () => {
      const config = { sample_rate: rate, words: true, progress: true };
      this.socket.send(JSON.stringify({ config }));
    };
    this.opened = new Promise((done) => this.socket.addEventListener('open', done));
    this.closed = new Promise((done) => this.socket.addEventListener('close', done));
    this.socket.onmessage = ({ data }) => this.heard(JSON.parse(data));
    this.socket.onclose = ({ code, reason }) => {
      if (code !== 1000) tell(reason || `The connection has broken off (${code}).`);
      if (session === this) stopped();
    };
  }

  get isOpen() {
    return this.socket.readyState === WebSocket.OPEN;
  }

  send(samples) {
    if (!this.isOpen) return;
    const whole = new Int16Array(samples.length);
    for (let n = 0; n < samples.length; n++) whole[n] = Math.max(-1, Math.min(1, samples[n])) * 32767;
    this.socket.send(whole.buffer);
    this.waiting++;
    this.seconds += samples.length / this.rate;
    this.sent.push([this.seconds, performance.now()]);
  }

  end() {
    if (this.isOpen) this.socket.send('{"eof" : 1}');
    else this.socket.close();
  }

  heard(reply) {
    this.waiting--;
    if (this.onreply) this.onreply();
    if (reply.error !== undefined) {
      if (reply.error.includes('token')) by('ask').hidden = false;
      tell(reply.error);
    } else if (reply.partial !== undefined) by('partial').textContent = reply.partial;
    else final(reply);
    if (this.isLive && reply.decoded !== undefined) this.measure(reply.decoded);
    by('state').textContent = `${this.isLive ? 'listening' : 'reading'}, ${this.seconds.toFixed(0)} s`;
  }

  // How long ago the last sound that these words are about was heard.
  measure(decoded) {
    while (this.sent.length > 1 && this.sent[0][0] < decoded) this.sent.shift();
    const [seconds, when] = this.sent[0];
    this.latencies.push(performance.now() - when + 1000 * (seconds - decoded));
    if (this.latencies.length > 50) this.latencies.shift();
    const median = [...this.latencies].sort((one, other) => one - other)[this.latencies.length >> 1];
    by('latency').textContent = `${median.toFixed(0)} ms`;
    by('bar').value = median;
  }
}

function final(reply) {
  by('partial').textContent = '';
  const words = reply.result ?? [];
  if (!words.length) return;
  const utterance = document.createElement('span');
  utterance.className = 'utterance';
  for (const { word, conf } of words) {
    const each = document.createElement('span');
    each.textContent = word;
    each.title = `${(100 * conf).toFixed(0)} %`;
    each.style.color = `rgba(var(--ink), ${(0.45 + 0.55 * conf).toFixed(2)})`;
    utterance.append(each, ' ');
  }
  by('finals').append(utterance);
  by('text').parentElement.scrollTo(0, 1e9);
}

function tell(sentence) {
  by('error').textContent = sentence;
  by('error').hidden = !sentence;
}

function begun(started) {
  session = started;
  tell('');
  by('hint').hidden = true;
  by('microphone').textContent = 'Stop';
  by('microphone').classList.add('on');
}

function stopped() {
  session?.release?.();
  session = null;
  by('partial').textContent = '';
  by('state').textContent = 'ready';
  by('microphone').textContent = 'Start microphone';
  by('microphone').classList.remove('on');
}

async function listen() {
  if (!navigator.mediaDevices) throw new Error('A browser gives its microphone only to https and localhost.');
  // What browsers do to sound for telephony takes words away.
  const plain = { channelCount: 1, echoCancellation: false, noiseSuppression: false, autoGainControl: false };
  const media = await navigator.mediaDevices.getUserMedia({ audio: plain });
  const context = new AudioContext();
  await context.audioWorklet.addModule('static/worklet.js');
  const started = new Session(context.sampleRate, true);
  const pieces = new AudioWorkletNode(context, 'pieces');
  pieces.port.onmessage = ({ data }) => started.send(data);
  context.createMediaStreamSource(media).connect(pieces);
  started.release = () => {
    started.release = null;
    media.getTracks().forEach((track) => track.stop());
    context.close();
  };
  begun(started);
}

async function read(file) {
  const context = new OfflineAudioContext(1, 1, 16000);
  const audio = await context.decodeAudioData(await file.arrayBuffer());
  const samples = audio.getChannelData(0), started = new Session(audio.sampleRate, false);
  begun(started);
  await Promise.race([started.opened, started.closed]);
  const step = Math.round(FILE_SECONDS * audio.sampleRate);
  for (let from = 0; from < samples.length && started.isOpen; from += step) {
    started.send(samples.subarray(from, from + step));
    while (started.waiting >= IN_FLIGHT && started.isOpen) {
      await Promise.race([new Promise((done) => { started.onreply = done; }), started.closed]);
    }
  }
  started.end();
}

const told = (doing) => doing.catch((error) => { tell(error.message); stopped(); });

by('microphone').onclick = () => {
  if (!session) return told(listen());
  session.release?.();
  session.end();
};
by('file').onchange = ({ target }) => {
  const [file] = target.files;
  target.value = '';
  if (file && !session) told(read(file));
};
by('clear').onclick = () => { by('finals').replaceChildren(); by('hint').hidden = false; tell(''); };
