// Compiles HLSL files, named ANYTHING.ENTRY.hlsl, with Microsoft's compiler, as DX12 would.
//
//     DXC_LIBRARY=libdxcompiler.so check FILE..

#include <dlfcn.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>

#include "dxcapi.h"

static IDxcCompiler3 *open_compiler() {
    void *library = dlopen(std::getenv("DXC_LIBRARY"), RTLD_NOW);
    if (!library) {
        return nullptr;
    }
    auto create = reinterpret_cast<DxcCreateInstanceProc>(dlsym(library, "DxcCreateInstance"));
    IDxcCompiler3 *compiler = nullptr;
    create(CLSID_DxcCompiler, __uuidof(IDxcCompiler3), reinterpret_cast<void **>(&compiler));
    return compiler;
}

// The compiler's messages; none where it takes the file.
static std::string refusal(IDxcCompiler3 *compiler, const std::string &path) {
    std::ifstream file(path);
    std::string text{std::istreambuf_iterator<char>(file), {}};
    std::string stem = path.substr(0, path.size() - std::string(".hlsl").size());
    std::string name = stem.substr(stem.rfind('.') + 1);
    std::wstring entry(name.begin(), name.end());
    LPCWSTR arguments[] = {L"-T", L"cs_6_0", L"-E", entry.c_str(), L"-HV", L"2018", L"-no-warnings", L"-Vd"};
    DxcBuffer buffer{text.data(), text.size(), DXC_CP_UTF8};
    IDxcResult *result = nullptr;
    compiler->Compile(&buffer, arguments, std::size(arguments), nullptr, __uuidof(IDxcResult),
                      reinterpret_cast<void **>(&result));
    if (!result) {
        return "no result";
    }
    HRESULT status = 1;
    result->GetStatus(&status);
    if (status == 0) {
        return "";
    }
    IDxcBlobUtf8 *messages = nullptr;
    result->GetOutput(DXC_OUT_ERRORS, __uuidof(IDxcBlobUtf8), reinterpret_cast<void **>(&messages), nullptr);
    return messages && messages->GetStringLength() ? messages->GetStringPointer() : "refused without a message";
}

int main(int count, char **arguments) {
    IDxcCompiler3 *compiler = open_compiler();
    if (!compiler) {
        std::fprintf(stderr, "no compiler in DXC_LIBRARY\n");
        return 2;
    }
    int refused = 0;
    for (int i = 1; i < count; i++) {
        std::string message = refusal(compiler, arguments[i]);
        if (!message.empty()) {
            std::fprintf(stderr, "%s: %s\n", arguments[i], message.c_str());
            refused++;
        }
    }
    std::printf("DXC: %d entry points, %d refused\n", count - 1, refused);
    return refused > 0;
}
