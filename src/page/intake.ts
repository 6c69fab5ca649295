import { byId } from './elements.ts';

/** Calls back with the files that are dropped anywhere on the page, pasted, or chosen. */
export function takeFiles(take: (files: readonly File[]) => void): void {
  const input = byId<HTMLInputElement>('files');
  byId('choose').addEventListener('click', () => input.click());
  input.addEventListener('change', () => {
    take(Array.from(input.files ?? []));
    // The same file may be chosen again.
    input.value = '';
  });
  document.addEventListener('paste', ({ clipboardData }) => give(clipboardData, take));
  document.addEventListener('dragover', (event) => {
    event.preventDefault();
    byId('drop').classList.add('over');
  });
  document.addEventListener('dragleave', ({ relatedTarget }) => {
    // It is fired for every element on the way, too; outside the window there is none.
    if (!relatedTarget) byId('drop').classList.remove('over');
  });
  document.addEventListener('drop', (event) => {
    event.preventDefault();
    byId('drop').classList.remove('over');
    give(event.dataTransfer, take);
  });
}

function give(data: DataTransfer | null, take: (files: readonly File[]) => void): void {
  if (data?.files.length) take(Array.from(data.files));
}
