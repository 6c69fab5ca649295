import { servePage, UsageError, writePage } from '../../index.ts';
import { command } from '../command.ts';
import { openInBrowser } from '../open-in-browser.ts';
import { given } from '../options.ts';
import { plural } from '../terminal-text.ts';

export const serveCommand = command({
  name: 'serve',
  summary:
    'Runs a guarded model in the browser: drop an image, see class, decision and which question it failed.',
  examples: [
    ['serve runs/demo/guarded.onnx --open', 'on this machine, until Ctrl-C'],
    ['serve runs/demo/guarded.onnx --output page/', 'a folder for any web server'],
  ],
  positionals: { model: { describe: 'the guarded.onnx that la-ood guard wrote' } },
  options: {
    port: {
      type: 'number',
      describe: 'port of the server, 0 for any; 7070 or a free one where not given',
      check: (port: number) =>
        Number.isInteger(port) && port >= 0 && port < 65536
          ? undefined
          : 'must be a whole number from 0 to 65535',
    },
    open: { type: 'boolean', describe: 'open the page in the default browser' },
    output: { type: 'string', describe: 'write the page into this folder, and serve nothing' },
  },
  async run({ model, port, open, output }) {
    if (output !== undefined) {
      if (port !== undefined || open)
        throw new UsageError('--output', 'serves nothing', 'leave out --port and --open, or --output');
      const { files, bytes, folder } = await writePage(model, output);
      return {
        result: { output: folder, files, bytes },
        text: `Wrote ${folder}: ${plural(files, 'file')}, ${(bytes / 1e6).toFixed(1)} MB.`,
        next: 'Next: put the folder on any web server; docs/browser.md tells which headers make it faster.',
      };
    }
    const { url } = await servePage(model, given({ port }));
    const opened = open ? await openInBrowser(url) : undefined;
    return {
      result: { url, ...(opened !== undefined && { opened }) },
      text: `${model} runs in the browser at ${url}`,
      next: `${opened === false ? 'No browser could be opened: open the address yourself. ' : ''}Ctrl-C ends it. Images stay on this machine.`,
    };
  },
});
