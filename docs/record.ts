import { spawn } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import headless from '@xterm/headless';

/**
 * `npm run docs:record -- --in FOLDER docs/tutorial/*.md`: runs the commands of the pages' `console` blocks, one after
 * the other, in a folder that has the files which they name, and puts below each what the terminal showed. So what the
 * pages show is what happens. A command that fails ends the work, and leaves its page as it was.
 */

const COLUMNS = 100;
const ROWS = 1000;
const program = fileURLToPath(new URL('../dist/src/cli/main.js', import.meta.url));

const { values, positionals: pages } = parseArgs({
  options: { in: { type: 'string', default: '.' } },
  allowPositionals: true,
});
for (const page of pages) await record(page, resolve(values.in));

async function record(page: string, folder: string): Promise<void> {
  const blocks = (await readFile(page, 'utf8')).split(/^(```console\n[\s\S]*?^```)$/m);
  for (const [at, block] of blocks.entries()) {
    if (!block.startsWith('```console\n')) continue;
    const shown: string[] = [];
    for (const command of commandsOf(block))
      shown.push(`$ ${command}\n${await run(command, folder)}`.trimEnd());
    blocks[at] = `\`\`\`console\n${shown.join('\n')}\n\`\`\``;
  }
  await writeFile(page, blocks.join(''));
}

/** Lines that begin with `$`, with those that continue them. */
function commandsOf(block: string): string[] {
  return Array.from(block.matchAll(/^\$ ((?:.*\\\n)*.*)$/gm), ([, command]) => command);
}

/** What a terminal shows at a command's end. */
async function run(command: string, folder: string): Promise<string> {
  console.log(`$ ${command}`);
  const terminal = new headless.Terminal({ cols: COLUMNS, rows: ROWS, allowProposedApi: true });
  const script = `stty cols ${COLUMNS} rows ${ROWS}\nla-ood() { '${process.execPath}' '${program}' "$@"; }\n${command}`;
  const env = { ...process.env, TERM: 'xterm', SHELL: '/bin/bash' };
  const shell = spawn('script', ['--quiet', '--return', '--command', script, '/dev/null'], {
    ...{ cwd: folder, env },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  for await (const chunk of shell.stdout) await new Promise<void>((done) => terminal.write(chunk, done));
  if (shell.exitCode === null) await new Promise((done) => shell.on('exit', done));
  const text = screenOf(terminal);
  if (shell.exitCode !== 0) throw new Error(`${command}\nexited with ${shell.exitCode}:\n${text}`);
  return text;
}

function screenOf(terminal: InstanceType<typeof headless.Terminal>): string {
  const { active } = terminal.buffer;
  let text = '';
  for (let row = 0; row < active.length; row++) {
    const line = active.getLine(row)!;
    if (row > 0 && !line.isWrapped) text += '\n';
    text += line.translateToString(true);
  }
  return text.trimEnd();
}
