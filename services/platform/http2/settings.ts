import { ConnectionError, errorCode, frameBytesDefault, setting, windowBytesMax } from './protocol.js';

export type Setting = [name: number, value: number];

const settingBytes = 6;

/** SETTINGS, RFC 9113, section 6.5. @throws ConnectionError if one of them is not allowed */
export function readSettings(payload: Buffer): Setting[] {
  if (payload.length % settingBytes !== 0) {
    throw new ConnectionError(errorCode.frameSizeError, `Expected SETTINGS of ${settingBytes} bytes each.`);
  }
  const settings: Setting[] = [];
  for (let offset = 0; offset < payload.length; offset += settingBytes) {
    const name = payload.readUInt16BE(offset);
    const value = payload.readUInt32BE(offset + 2);
    check(name, value);
    settings.push([name, value]);
  }
  return settings;
}

export function encodeSettings(settings: readonly Setting[]): Buffer {
  const payload = Buffer.alloc(settingBytes * settings.length);
  for (const [index, [name, value]] of settings.entries()) {
    payload.writeUInt16BE(name, settingBytes * index);
    payload.writeUInt32BE(value, settingBytes * index + 2);
  }
  return payload;
}

function check(name: number, value: number): void {
  if (name === setting.enablePush && value > 1) {
    throw new ConnectionError(errorCode.protocolError, `Expected ENABLE_PUSH to be 0 or 1 but received ${value}.`);
  }
  if (name === setting.initialWindowSize && value > windowBytesMax) {
    const message = `Expected an INITIAL_WINDOW_SIZE below 2 GiB but received ${value}.`;
    throw new ConnectionError(errorCode.flowControlError, message);
  }
  if (name === setting.maxFrameSize && (value < frameBytesDefault || value >= 2 ** 24)) {
    const message = `Expected a MAX_FRAME_SIZE from ${frameBytesDefault} to 16 MiB but received ${value}.`;
    throw new ConnectionError(errorCode.protocolError, message);
  }
}
