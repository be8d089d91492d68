// What the server says is wrong, in Chinese. The server speaks English; a text that is not listed stays English.
// Each line: a pattern of a whole text, and its translation, with $1 for what the pattern holds.
const CHINESE = [
  // where
  [/^the upload( \(.+\))?$/, "上传内容$1"],
  [/^an uploaded file$/, "上传的文件"],
  [/^the request$/, "请求"],
  [/^the server$/, "服务器"],
  [/^the segmentation$/, "分割"],
  [/^this command$/, "本功能"],
  // kinds of files
  [/^DICOM or a folder of slices or .*$/, "DICOM、切片文件夹、TIFF、PNG 或 JPEG 图像，或 NIfTI 体数据（.nii、.nii.gz）"],
  [/^slices \(TIFF, PNG, JPEG\), NIfTI volumes or DICOM$/, "切片（TIFF、PNG、JPEG）、NIfTI 体数据或 DICOM"],
  [/^a file of kind '(.*)'$/, "“$1”类型的文件"],
  [/^a file without a suffix$/, "没有扩展名的文件"],
  [/^Convert it to one of these kinds\.$/, "请转换为以上格式之一。"],
  [/^Give the folder that holds the scans; .*$/, "请给出存放扫描的文件夹；名为掩膜的文件不算扫描。"],
  [/^none$/, "没有"],
  [/^more$/, "超出"],
  // several scans, masks
  [/^one scan$/, "一个扫描"],
  [/^(\d+) \((.*)\)$/, "$1 个（$2）"],
  [/^Upload one scan at a time\. .*$/, "请一次上传一个扫描。同一扫描的切片只在文件名末尾的编号上不同。"],
  [/^one mask for the scan$/, "该扫描的一个掩膜"],
  [/^Upload the scan with one mask, or without\.$/, "请只随扫描上传一个掩膜，或不上传掩膜。"],
  [/^the grid of its scan .*$/, "与扫描相同的网格"],
  [/^Give the mask of this scan\.$/, "请给出此扫描的掩膜。"],
  // damaged files
  [/^a whole (.+) (?:image|volume|file)$/, "完整的 $1 文件"],
  [/^one that is damaged or cut short.*$/, "已损坏或不完整的文件"],
  [/^(?:Copy|Copy or export|Copy, download or export|Copy or download) it anew\.$/, "请重新复制、下载或导出该文件。"],
  [/^an image$/, "图像"],
  [/^an empty file \(0 bytes\)$/, "空文件（0 字节）"],
  [/^a TIFF, PNG or JPEG image$/, "TIFF、PNG 或 JPEG 图像"],
  [/^text \(.*\)$/, "文本"],
  [/^Export the image anew\.$/, "请重新导出该图像。"],
  [/^a \.nii\.gz file$/, ".nii.gz 文件"],
  [/^one that is not compressed$/, "未压缩的文件"],
  [/^Name it \.nii if it is NIfTI\.$/, "若为 NIfTI，请将扩展名改为 .nii。"],
  [/^a NIfTI volume$/, "NIfTI 体数据"],
  [/^another kind of file$/, "另一种文件"],
  [/^Export the volume anew as NIfTI\.$/, "请重新导出为 NIfTI。"],
  [/^data for .* as its header says$/, "文件头所述的全部数据"],
  [/^a file too short for it .*$/, "过短的文件（可能不完整）"],
  [/^a DICOM file$/, "DICOM 文件"],
  [/^another kind of file named like one$/, "名称像 DICOM 的另一种文件"],
  [/^Remove it, or export it anew as DICOM\.$/, "请移除该文件，或重新导出为 DICOM。"],
  [/^a slice every (.+) mm$/, "每 $1 mm 一张切片"],
  [/^(\d+) missing slices?, .*$/, "缺少 $1 张切片"],
  [/^Copy or export the whole series anew\.$/, "请重新复制或导出整个序列。"],
  [/^a head on a darker background$/, "较暗背景上的头部"],
  [/^FLAIR has the same value everywhere$/, "FLAIR 各处数值相同"],
  [/^Look at the scan: .*$/, "请检查该扫描：它可能是空的，或只含首尾切片。"],
  // too large
  [/^at most ([\d,]+) (bytes|bytes when unpacked|values|files)$/, (_, count, unit) => `${UNITS[unit][0]} ${count} ${UNITS[unit][1]}`],
  [/^([\d,]+) or more, as the headers say$/, "据文件头为 $1 或更多"],
  [/^(\d+) files$/, "$1 个文件"],
  [/^Send a smaller scan, or raise the limit with (.+)\.$/, "请上传较小的扫描，或用 $1 提高上限。"],
  [/^Crop or resample the scan, or raise the limit with (.+)\.$/, "请裁剪或重采样扫描，或用 $1 提高上限。"],
  // zip
  [/^a whole zip archive$/, "完整的 zip 压缩包"],
  [/^one that is damaged$/, "已损坏的压缩包"],
  [/^an archive without password$/, "没有密码的压缩包"],
  [/^a password$/, "有密码的压缩包"],
  [/^one zip archive$/, "一个 zip 压缩包"],
  [/^Upload the archive alone\.$/, "请只上传该压缩包。"],
  [/^Pack the folder of one patient with an ordinary zip program\.$/, "请用普通的 zip 程序打包一名患者的文件夹。"],
  // DICOM series
  [/^the optional extra 'dicom'$/, "附加项 dicom"],
  [/^no module (.+)$/, "缺少模块 $1"],
  [/^Install it: (.+)$/, "请在服务器上安装：$1"],
  [/^MR images$/, "MR 图像"],
  [/^only (.*)$/, (_, there) => `只有 ${ofSeries(there)}`],
  [/^Give the folder with the MR series .*$/, "请给出存放 MR 序列的文件夹。"],
  [/^a FLAIR series$/, "FLAIR 序列"],
  [/^a FLAIR file for (.+)$/, "$1 的 FLAIR 文件"],
  [/^If one of them is FLAIR, say so: --flair FILE\.$/, "若其中一个是 FLAIR，请在文件名中注明 flair。"],
  [/^If one of them is FLAIR, say so, .*$/, "若其中一个是 FLAIR，请在下面指明。"],
  [/^one (flair|pre|post) series$/, (_, name) => `一个${NAMES[name]}序列`],
  [/^Choose one: .*$/, "请在下面选择一个。"],
  [/^the frame of reference of (.+)$/, "$1 的参考坐标系"],
  [/^another: the patient was moved in between$/, "另一个：患者在其间移动过"],
  [/^at least half of where (.+) lies$/, "至少覆盖 $1 所在区域的一半"],
  [/^(\d+%) of it$/, "其 $1"],
  [/^Register it to FLAIR first, or leave it out: .*$/, "请先将其配准到 FLAIR，或在下面选择不使用。"],
  // the server itself
  [/^room for another scan$/, "可容纳另一个扫描"],
  [/^(?:no room for another scan|the queue is full)$/, "已满"],
  [/^Come back in (\d+) seconds\.$/, "请在 $1 秒后再试。"],
  [/^an answer$/, "应答"],
  [/^Is the server still running\?$/, "服务器仍在运行吗？"],
  [/^an end within the time limit$/, "在时限内完成"],
  [/^Try a smaller scan, or a machine with more cores\.$/, "请使用较小的扫描，或核心更多的机器。"],
  [/^a scan that can be read in time$/, "能在时限内读完的扫描"],
  [/^a slow one$/, "读取过慢的扫描"],
  [/^Send a smaller scan\.$/, "请上传较小的扫描。"],
  [/^the whole request in time$/, "及时收到的完整请求"],
  [/^the rest of the request did not come$/, "其余部分没有到达"],
  [/^an address that exists$/, "存在的地址"],
  [/^no scan of this id; .*$/, "没有此扫描；它可能已在一小时后被删除"],
  [/^no error of its own$/, "服务器自身无错误"],
  [/^one \(reference (.+)\)$/, "一个错误（编号 $1）"],
  [/^Try again; .*$/, "请重试；若问题依旧，请连同编号和服务器日志一起报告。"],
  [/^See \/docs\.$/, "见 /docs。"],
  [/^series( .*)?$/, ofSeries],
];
const UNITS = { bytes: ["最多", "字节"], "bytes when unpacked": ["解压后最多", "字节"], values: ["最多", "个数值"], files: ["最多", "个文件"] };
const NAMES = { flair: " FLAIR ", pre: "增强前", post: "增强后" };
const PLANES = { axial: "轴位 ", coronal: "冠状位 ", sagittal: "矢状位 ", undefined: "" };

// "series 4 'AX T2' [axial 24 images], series 6 ... and 2 more"
function ofSeries(text) {
  return text
    .replace(/\bseries(?= \d| '|$)/g, "序列")
    .replace(/\[(?:(\w+) )?(\d+) images?\]/g, (_, plane, count) => `[${PLANES[plane]}${count} 张]`)
    .replace(/ and (\d+) more$/, " 等，另有 $1 个");
}

export function inChinese(text) {
  for (const [pattern, chinese] of CHINESE) {
    if (pattern.test(text)) return text.replace(pattern, chinese);
  }
  return text;
}
