import { readdirSync, readFileSync } from 'node:fs';
import { basename, dirname, join, relative } from 'node:path/posix';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';

const root = fileURLToPath(new URL('..', import.meta.url)).replaceAll('\\', '/');

/** The layers in the order of CONTRIBUTING.md, the uppermost first. */
const layers = layersOf(readFileSync(join(root, 'CONTRIBUTING.md'), 'utf8'));

const sources = ['src', 'converters', 'data', 'models'].flatMap((folder) =>
  readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts'))
    .map((file) => `${folder}/${file.replaceAll('\\', '/')}`),
);

describe('the layers', () => {
  it('are written down, and hold every source file', () => {
    expect(layers[0]).to.equal('src/cli');
    expect(layers.at(-1)).to.equal('src/common');
    expect(sources).to.have.length.above(100);
    for (const file of sources) expect(layers, file).to.include(layerOf(file));
  });

  it('import from below only', () => {
    const upward = sources.flatMap((file) =>
      importsOf(file)
        .filter((imported) => layers.indexOf(layerOf(imported)!) < layers.indexOf(layerOf(file)!))
        .map((imported) => `${file} imports ${imported}`),
    );
    expect(upward).to.deep.equal([]);
  });

  it('reach the command line through the public API', () => {
    const past = sources
      .filter((file) => layerOf(file) === 'src/cli')
      .flatMap((file) =>
        importsOf(file).filter((imported) => !['src/cli', 'src/index.ts'].includes(layerOf(imported)!)),
      );
    expect(past).to.deep.equal([]);
  });
});

describe('an import of an entry', () => {
  const small: Readonly<Record<string, readonly string[]>> = {
    main: ['protobufjs'],
    onnx: ['protobufjs'],
    checkpoints: ['hyparquet', 'hyparquet-compressors', 'protobufjs', 'yauzl', 'zod'],
    guard: ['cli-table3', 'hyparquet', 'hyparquet-compressors', 'protobufjs', 'yauzl', 'zod'],
    methods: ['cli-table3', 'hyparquet', 'hyparquet-compressors', 'protobufjs', 'yauzl', 'zod'],
    training: ['cli-table3', 'hyparquet', 'hyparquet-compressors', 'protobufjs', 'yauzl', 'zod'],
  };
  for (const [entry, packages] of Object.entries(small))
    it(`loads no more than ${packages.join(', ')}: ${entry}`, () => {
      expect(packagesOf(`src/entries/${entry}.ts`)).to.have.members(packages);
    });

  it('loads nothing in a browser', () => {
    expect(packagesOf('src/browser/entry.ts')).to.deep.equal([]);
  });
});

describe('the files', () => {
  it('have names of their own, but for commands and entries', () => {
    const named = sources
      .filter((file) => !/^src\/(cli\/commands|entries)\//.test(file))
      .map((file) => basename(file));
    expect(named.filter((name, f) => named.indexOf(name) < f)).to.deep.equal([]);
  });
});

function layersOf(contributing: string): string[] {
  const [, list] = /never from above[^:]*:([^.]*(?:\.ts[^.]*)?)\./.exec(contributing)!;
  return Array.from(list.matchAll(/`([^`]+)`/g), ([, name]) => name);
}

function layerOf(file: string): string | undefined {
  return layers.find((layer) => file === layer || file.startsWith(`${layer}/`));
}

/** Packages that are loaded with a module, by what it and what it imports import; not what they import when they are used. */
function packagesOf(file: string): string[] {
  const files = new Set([file]);
  const packages = new Set<string>();
  for (const from of files)
    for (const [, name] of readFileSync(join(root, from), 'utf8').matchAll(STATIC_IMPORT)) {
      if (name.startsWith('.')) files.add(join(dirname(from), name));
      else if (!name.startsWith('node:')) packages.add(/^(?:@[^/]+\/)?[^/]+/.exec(name)![0]);
    }
  return [...packages];
}

/** Imports and exports that the compiler keeps: those of types alone are gone. */
const STATIC_IMPORT = /^(?:import|export)\s+(?:(?!type\b)[^;'"]*?\sfrom\s+)?'([^']+)';/gm;

/** Files of this project that a file imports, types included. */
function importsOf(file: string): string[] {
  const text = readFileSync(join(root, file), 'utf8');
  return Array.from(text.matchAll(/(?:from|import)\s*\(?'(\.{1,2}\/[^']+)'/g), ([, path]) =>
    relative(root, join(root, dirname(file), path)),
  );
}
