import { downloadFile } from '../../data/download/download-file.ts';

/** Downloads a file, for a process to be killed over it: URL, size, MD5, folder. */
const [url, size, md5, folder] = process.argv.slice(2);
await downloadFile({ name: 'set.bin', url, size: Number(size), md5 }, folder, { backoff: 0.01 });
